using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>What is kept for a client and for how long, at the edges: late pongs, half-sent envelopes, texts that grow when they are escaped.</summary>
public sealed class ShardKeepingTests
{
    private readonly ShardHarness _shard = new(resumeWindow: 60);

    private static string Envelope(string text) => $"{{\"message\":\"{text}\",\"sender\":{{}}}}";

    [Fact]
    public void What_is_acknowledged_behind_4408_is_not_sent_again()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        two.PongsHeldBack = true;
        _shard.Advance(25);
        _shard.Say(one, "read late");
        _shard.Advance(5.5);
        Assert.Equal((EndReason.ClientTimeout, SessionPhase.Lingering), (two.EndedBy, two.Phase));
        // It wakes up, and its stack answers what it reads in order: the envelope's ping, the close.
        _shard.Feed(two, [.. ClientFrames.Pong("1"), .. ClientFrames.Close(4408)]);
        Assert.Equal(SessionPhase.Finished, two.Phase);
        Assert.Single(_shard.Resume(two).Texts);
    }

    [Fact]
    public void An_earlier_socket_acknowledges_nothing_once_the_seat_is_taken_back()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        two.PongsHeldBack = true;
        _shard.Advance(25);
        _shard.Say(one, "a");
        _shard.Advance(5.5);
        TestClient back = _shard.Resume(two, pongs: false);
        _shard.Feed(two, ClientFrames.Pong("1"));
        _shard.Break(back);
        Assert.Equal([Envelope("a")], _shard.Resume(back).Texts.Skip(1));
    }

    [Fact]
    public void What_the_socket_has_not_taken_is_not_let_go()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        two.PongsHeldBack = true;
        two.Window = 200_000;
        // Escaped it is larger than what may be kept, and half of it has been sent.
        _shard.Say(one, new string('\u0001', 65_000));
        _shard.Say(one, "b");
        _shard.Break(two);
        Assert.Equal(2, _shard.Resume(two).Texts.Skip(1).Count());
    }

    [Fact]
    public void What_is_kept_for_the_first_who_joins_is_counted_as_it_will_be_sent()
    {
        TestClient one = _shard.Open();
        string controls = new('\u0001', 65_000);
        _shard.Say(one, controls);
        _shard.Say(one, controls);
        Assert.Equal("close 1008 rate", one.Frames[^1]);
    }

    [Fact]
    public void Who_is_not_told_an_end_has_no_code()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        two.Window = 0;
        _shard.Say(one, "waits");
        _shard.Resume(two);
        Assert.Equal((EndReason.TakenOver, 0), (_shard.Observer.Ended[^1].Reason, _shard.Observer.Ended[^1].Code));
    }
}
