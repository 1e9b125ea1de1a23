using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>A session to which nothing can be sent any more, while what its client had sent is still handed in.</summary>
public sealed class ShardBrokenOutputTests
{
    private const string Refused = "close 4401 resume refused";

    private static string Envelope(string text) => $"{{\"message\":\"{text}\",\"sender\":{{}}}}";

    [Fact]
    public void It_waits_for_what_has_arrived()
    {
        ShardHarness shard = new(resumeWindow: 60);
        (TestClient one, TestClient two) = shard.Pair();
        two.Window = 0;
        shard.Say(one, "lost on the way");
        shard.Core.OutputBroken(two);
        Assert.Equal(SessionPhase.Open, two.Phase);
        Assert.True(two.Unsent.IsEmpty);
        shard.Say(two, "arrived before the reset");
        Assert.Contains(Envelope("arrived before the reset"), one.Texts);
        shard.Say(one, "held");
        shard.Break(two);
        Assert.Equal([Envelope("lost on the way"), Envelope("held")], shard.Resume(two).Texts.Skip(1));
    }

    /// <summary>What is let go behind a broken output never left. It is not lost unseen: whoever may lack it is refused.</summary>
    [Fact]
    public void Behind_it_the_oldest_are_let_go_unsent_and_a_resume_never_skips_them()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 0, OutboundMessages = 3 }, resumeWindow: 60);
        (TestClient one, TestClient two) = shard.Pair();
        two.PongsHeldBack = true;
        shard.Say(one, "1");
        two.Window = 0;
        shard.Core.OutputBroken(two);
        foreach (string text in (string[])["2", "3", "4", "5"])
            shard.Say(one, text);
        Assert.Equal([Envelope("1")], two.Texts);
        Assert.True(two.Unsent.IsEmpty);
        Assert.Equal(SessionPhase.Open, two.Phase);
        shard.Say(two, "still heard");
        Assert.Contains(Envelope("still heard"), one.Texts);
        shard.Break(two);
        // Kept are 3 to 5. It has 1, whether it says so or not.
        Assert.Equal([Refused], shard.Resume(two).Frames);
        Assert.Equal([Refused], shard.Resume(two, more: "&received=1").Frames);
        Assert.Equal(1, shard.Core.HeldCount);
        shard.Advance(61);
        Assert.Equal((0, 1), (shard.Core.HeldCount, shard.Observer.GivenUp));
        Assert.Equal(0, shard.Core.KeptBuffersLent);
    }

    [Fact]
    public void A_pong_that_is_heard_behind_it_fills_the_gap()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 0, OutboundMessages = 3 }, resumeWindow: 60);
        (TestClient one, TestClient two) = shard.Pair();
        two.PongsHeldBack = true;
        shard.Say(one, "1");
        shard.Say(one, "2");
        two.Window = 0;
        shard.Core.OutputBroken(two);
        foreach (string text in (string[])["3", "4", "5"])
            shard.Say(one, text);
        shard.Feed(two, ClientFrames.Pong("2"));
        shard.Break(two);
        Assert.Equal([Envelope("3"), Envelope("4"), Envelope("5")], shard.Resume(two).Texts.Skip(1));
    }
}
