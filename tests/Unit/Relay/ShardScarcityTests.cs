using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>All buffers together have a limit. Beyond it everybody is bounded to a share; nobody who needs little is worse off.</summary>
public sealed class ShardScarcityTests
{
    /// <summary>With two seats or more the share is the smallest there is, 2 KiB.</summary>
    private static readonly Limits _limits = new() { MaxExchanges = 0, BufferedOctets = 16 * 1024 };

    private readonly ShardHarness _shard = new(_limits);

    [Fact]
    public void A_message_under_way_that_outgrows_its_share_ends_its_session_and_nobody_else()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        Exhaust();
        _shard.Feed(one, ClientFrames.Text(new string('x', 3000))[..2500]);
        Assert.Equal(["close 1013 try again later"], one.Frames);
        Assert.Equal(EndReason.TryAgainLater, _shard.Observer.Ended[^1].Reason);
        Assert.Empty(other.Frames);
        int lent = _shard.Core.BuffersLent;
        // Its message is not gathered any more, nor is what comes behind it taken for frames.
        _shard.Feed(one, new byte[2000]);
        Assert.Equal(lent, _shard.Core.BuffersLent);
    }

    [Fact]
    public void A_small_message_under_way_is_finished()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        Exhaust();
        byte[] message = ClientFrames.Text(new string('x', 1000));
        _shard.Feed(one, message[..900]);
        _shard.Feed(one, message[900..]);
        Assert.Single(other.Texts);
    }

    [Fact]
    public void A_large_message_that_arrives_whole_reaches_a_client_that_reads()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        Exhaust();
        _shard.Say(one, new string('x', 60_000));
        _shard.Say(one, new string('y', 60_000));
        Assert.Equal(2, other.Texts.Count());
    }

    [Fact]
    public void A_queue_that_is_not_read_ends_its_client_when_it_would_outgrow_its_share()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        other.Window = 0;
        Exhaust();
        _shard.Say(one, new string('x', 1500));
        Assert.Equal(SessionPhase.Open, other.Phase);
        _shard.Say(one, new string('x', 1500));
        Assert.Equal(EndReason.TryAgainLater, other.EndedBy);
        // Its queue is not waited for: it is what has to go.
        Assert.Equal(SessionPhase.Finished, other.Phase);
        Assert.Equal(SessionPhase.Open, one.Phase);
    }

    [Fact]
    public void So_does_a_queue_of_pongs()
    {
        (TestClient one, _) = _shard.Pair();
        one.Window = 0;
        Exhaust();
        for (int i = 0; i < 15; i++)
            _shard.Feed(one, ClientFrames.Ping(new string('x', 125)));
        Assert.Equal(SessionPhase.Open, one.Phase);
        for (int i = 0; i < 5; i++)
            _shard.Feed(one, ClientFrames.Ping(new string('x', 125)));
        Assert.Equal(EndReason.TryAgainLater, one.EndedBy);
    }

    [Fact]
    public void What_nobody_is_there_to_hear_is_kept_up_to_a_share()
    {
        TestClient lonely = _shard.Open();
        Exhaust();
        _shard.Say(lonely, new string('x', 1500));
        TestClient other = _shard.Open();
        _shard.Say(other, new string('x', 3000));
        Assert.Equal("close 1013 try again later", other.Frames[^1]);
        Assert.Single(_shard.Join(lonely).Texts, text => text.Contains("xxx", StringComparison.Ordinal));
    }

    [Fact]
    public void A_client_that_is_there_gets_what_cannot_be_kept_and_only_cannot_resume_behind_it()
    {
        ShardHarness shard = new(_limits, resumeWindow: 60);
        (TestClient one, TestClient other) = shard.Pair();
        Exhaust(shard);
        other.PongsHeldBack = true;
        shard.Say(one, new string('x', 3000));
        Assert.Single(other.Texts);
        shard.Break(other);
        Assert.Equal("close 4401 resume refused", shard.Resume(other).Frames[^1]);
        // Who has it, and says so, is let in.
        Assert.Contains("received", shard.Resume(other, more: "&received=1").Texts.First(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_held_seat_that_cannot_keep_a_message_is_given_up()
    {
        ShardHarness shard = new(_limits, resumeWindow: 60);
        (TestClient one, TestClient other) = shard.Pair();
        Exhaust(shard);
        shard.Break(other);
        shard.Say(one, new string('x', 1000));
        Assert.Equal(1, shard.Core.HeldCount);
        shard.Say(one, new string('x', 1500));
        Assert.Equal(0, shard.Core.HeldCount);
        Assert.Equal("close 4401 resume refused", shard.Resume(other).Frames[^1]);
    }

    [Fact]
    public void The_seat_of_who_had_to_go_is_free()
    {
        ShardHarness shard = new(_limits with { MaxChannelConnections = 2 }, resumeWindow: 60);
        (TestClient one, TestClient other) = shard.Pair();
        Exhaust(shard);
        shard.Feed(other, ClientFrames.Text(new string('x', 5000))[..4000]);
        Assert.Equal(EndReason.TryAgainLater, other.EndedBy);
        Assert.Equal("close 4401 resume refused", shard.Resume(other).Frames[^1]);
        TestClient next = shard.Join(one.ChannelId);
        Assert.Single(next.Texts);
    }

    [Fact]
    public void Without_a_limit_nothing_is_scarce()
    {
        ShardHarness shard = new(_limits with { BufferedOctets = 0 });
        (TestClient one, TestClient other) = shard.Pair();
        Exhaust(shard);
        shard.Feed(one, ClientFrames.Text(new string('x', 60_000))[..50_000]);
        Assert.Equal(SessionPhase.Open, one.Phase);
        Assert.Empty(other.Frames);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Whatever_clients_do_the_buffers_stay_below_twice_the_limit(int seed)
    {
        const int Limit = 4 * 1024 * 1024;
        Random random = new(seed);
        ShardHarness shard = new(_limits with { BufferedOctets = Limit, ConnLifespan = TimeSpan.Zero, Heartbeat = TimeSpan.Zero }, resumeWindow: 60);
        List<(TestClient One, TestClient Other)> pairs = [.. Enumerable.Range(0, 40).Select(_ => shard.Pair())];
        bool wasScarce = false;
        for (int i = 0; i < 3000; i++)
        {
            (TestClient one, TestClient other) = pairs[random.Next(pairs.Count)];
            other.PongsHeldBack = true;
            if (random.Next(2) == 0)
                other.Window = 0;
            byte[] message = ClientFrames.Text(new string('x', random.Next(65_000)));
            switch (random.Next(40))
            {
                case 0:
                    shard.Break(other);
                    break;
                case < 5:
                    shard.Feed(one, message[..random.Next(message.Length)]);
                    break;
                default:
                    shard.Feed(one, message);
                    break;
            }
            if (one.Phase != SessionPhase.Open)
                pairs.Add(shard.Pair());
            wasScarce |= shard.Core.BufferedOctets > Limit;
            // What one read adds is seen only behind it: a message under way, or an envelope in a queue and a backlog. And the smallest share is everybody's.
            int smallest = 3 * 2048 * (shard.Core.SessionCount + shard.Core.HeldCount);
            Assert.InRange(shard.Core.BufferedOctets, 0, (2 * Limit) + (4 * 128 * 1024) + smallest);
        }
        Assert.True(wasScarce);
    }

    private void Exhaust() => Exhaust(_shard);

    /// <summary>More is kept than there is, for somebody who has not come.</summary>
    private static void Exhaust(ShardHarness shard)
    {
        shard.Say(shard.Open(), new string('x', 30_000));
        Assert.True(shard.Core.BufferedOctets > _limits.BufferedOctets);
    }
}
