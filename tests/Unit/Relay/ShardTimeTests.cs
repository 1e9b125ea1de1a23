using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.Relay;

public sealed class ShardTimeTests
{
    private const double Tick = 0.0000001;

    [Fact]
    public void The_lifespan_is_exact_and_counts_from_the_opening_whatever_happens()
    {
        ShardHarness shard = new();
        TestClient one = shard.Open();
        shard.Advance(200);
        TestClient other = shard.Join(one);
        shard.Say(one, "alive");
        shard.Advance(100 - Tick);
        Assert.Equal(SessionPhase.Open, one.Phase);
        shard.Advance(Tick);
        Assert.Equal("close 4410 channel expired", one.Frames[^1]);
        Assert.Equal("close 4410 channel expired", other.Frames[^1]);
        Assert.Equal([EndReason.ChannelExpired], shard.Observer.ChannelsEnded);
        Assert.Equal([TimeSpan.FromSeconds(300), TimeSpan.FromSeconds(100)], shard.Observer.Ended.Select(end => end.Length));
        shard.Advance(2);
        shard.AssertEmpty();
    }

    [Fact]
    public void Everyone_is_pinged_at_every_heartbeat()
    {
        ShardHarness shard = new();
        TestClient one = shard.Open();
        shard.Advance(5 - Tick);
        Assert.Single(one.Frames);
        shard.Advance(Tick);
        Assert.Equal(["ping"], one.Frames[1..]);
        shard.Say(one, "talking makes no difference");
        shard.Advance(50);
        Assert.Equal(11, one.Frames.Count(frame => frame == "ping"));
        Assert.Equal(SessionPhase.Open, one.Phase);
    }

    [Fact]
    public void A_client_without_any_frame_is_ended_exactly_at_the_client_timeout()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        one.AnswersPings = false;
        shard.Advance(30 - Tick);
        Assert.Equal(SessionPhase.Open, one.Phase);
        shard.Advance(Tick);
        Assert.Equal("close 4408 client timeout", one.Frames[^1]);
        Assert.Equal(EndReason.ClientTimeout, one.EndedBy);
        Assert.Equal(SessionPhase.Open, other.Phase);
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void A_message_that_is_not_complete_in_its_time_ends_its_sender(bool isCutInsideFrame)
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        one.AnswersPings = false;
        byte[] first = ClientFrames.Frame(Opcode.Text, "half"u8.ToArray(), isFinal: isCutInsideFrame);
        shard.Feed(one, isCutInsideFrame ? first[..^1] : first);
        shard.Advance(10 - Tick);
        Assert.Equal(SessionPhase.Open, one.Phase);
        shard.Advance(Tick);
        Assert.Equal("close 1008 fragments", one.Frames[^1]);
        Assert.Equal(SessionPhase.Open, other.Phase);
    }

    [Fact]
    public void A_message_that_was_complete_in_its_time_is_forgotten()
    {
        ShardHarness shard = new();
        (TestClient one, _) = shard.Pair();
        one.AnswersPings = false;
        byte[] frame = ClientFrames.Text("slow");
        shard.Feed(one, frame[..^1]);
        shard.Advance(9);
        shard.Feed(one, frame[^1..]);
        shard.Advance(9);
        shard.Feed(one, frame[..^1]);
        shard.Advance(9);
        shard.Feed(one, frame[^1..]);
        shard.Advance(9);
        Assert.Equal(SessionPhase.Open, one.Phase);
    }

    [Theory]
    [InlineData("ping"), InlineData("pong"), InlineData("text"), InlineData("fragment")]
    public void Any_frame_is_a_sign_of_life(string kind)
    {
        ShardHarness shard = new(new Limits { ConnLifespan = TimeSpan.Zero, MessageTimeout = TimeSpan.Zero });
        TestClient one = shard.Open();
        one.AnswersPings = false;
        shard.Advance(29);
        shard.Feed(one, kind switch
        {
            "ping" => ClientFrames.Ping(),
            "pong" => ClientFrames.Pong(),
            "text" => ClientFrames.Text("x"),
            _ => ClientFrames.Frame(Opcode.Text, [], isFinal: false),
        });
        shard.Advance(30 - Tick);
        Assert.Equal(SessionPhase.Open, one.Phase);
        shard.Advance(Tick);
        Assert.Equal(EndReason.ClientTimeout, one.EndedBy);
    }

    [Fact]
    public void Part_of_a_frame_is_no_sign_of_life()
    {
        ShardHarness shard = new(new Limits { MessageTimeout = TimeSpan.Zero });
        TestClient one = shard.Open();
        one.AnswersPings = false;
        byte[] frame = ClientFrames.Text(new string('x', 100));
        for (int second = 0; second < 30; second++)
        {
            shard.Feed(one, frame[second..(second + 1)]);
            shard.Advance(1);
        }
        Assert.Equal(EndReason.ClientTimeout, one.EndedBy);
    }

    [Fact]
    public void Without_heartbeat_there_are_no_pings_and_no_client_timeout()
    {
        ShardHarness shard = new(new Limits { Heartbeat = TimeSpan.Zero, ConnLifespan = TimeSpan.Zero });
        TestClient one = shard.Open();
        one.AnswersPings = false;
        Assert.Equal(TimeSpan.MaxValue, shard.Core.NextDeadline);
        shard.Advance(10_000);
        Assert.Single(one.Frames);
        Assert.Equal(SessionPhase.Open, one.Phase);
    }

    [Fact]
    public void Many_deadlines_at_once_are_handled_in_portions()
    {
        ShardHarness shard = new();
        TestClient[] clients = [.. Enumerable.Range(0, 1000).Select(_ => shard.Open())];
        shard.Core.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromSeconds(5), shard.Core.NextDeadline);
        shard.Advance(0);
        Assert.All(clients, client => Assert.Equal("ping", client.Frames[^1]));
    }

    [Fact]
    public void Time_does_not_go_back()
    {
        ShardHarness shard = new();
        shard.Advance(1);
        Assert.Throws<InvariantException>(() => shard.Core.Advance(TimeSpan.Zero));
    }

    [Fact]
    public void A_receiver_with_too_many_messages_waiting_is_ended_and_the_sender_never_waits()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 0 });
        (TestClient one, TestClient other) = shard.Pair();
        TestClient third = shard.Join(one);
        other.Window = 0;
        for (int i = 0; i < 64; i++)
            shard.Say(one, $"{i}");
        Assert.Equal(SessionPhase.Open, other.Phase);
        shard.Say(one, "64");
        Assert.Equal(SessionPhase.Lingering, other.Phase);
        Assert.Equal(EndReason.SlowConsumer, other.EndedBy);
        Assert.Equal(SessionPhase.Open, one.Phase);
        Assert.Equal(66, third.Frames.Count);
        shard.Drain(other);
        Assert.Equal(65, other.Frames.Count);
        Assert.Equal("close 1008 slow consumer", other.Frames[^1]);
    }

    [Fact]
    public void A_receiver_with_too_many_octets_waiting_is_ended()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 0 });
        (TestClient one, TestClient other) = shard.Pair();
        other.Window = 0;
        string text = new('x', 65536 - """{"message":"","sender":{}}""".Length - 4);
        for (int i = 0; i < 4; i++)
            shard.Say(one, text);
        Assert.Equal(256 * 1024, other.Unsent.Length);
        Assert.Equal(SessionPhase.Open, other.Phase);
        shard.Say(one, "x");
        Assert.Equal(EndReason.SlowConsumer, other.EndedBy);
    }

    [Fact]
    public void A_write_without_progress_for_five_seconds_ends_its_receiver()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        other.Window = 0;
        shard.Say(one, "stuck");
        shard.Advance(4);
        shard.Drain(other, 1);
        shard.Advance(5 - Tick);
        Assert.Equal(SessionPhase.Open, other.Phase);
        shard.Advance(Tick);
        Assert.Equal(EndReason.SlowConsumer, other.EndedBy);
        Assert.Equal(SessionPhase.Open, one.Phase);
        shard.Advance(0.5);
        Assert.Equal(SessionPhase.Finished, other.Phase);
    }

    [Fact]
    public void A_write_whose_client_takes_what_the_socket_has_is_not_stuck()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        other.Window = 0;
        shard.Say(one, "slow");
        for (int i = 0; i < 5; i++)
        {
            shard.Advance(4);
            shard.Core.Progressed(other);
        }
        shard.Advance(5 - Tick);
        Assert.Equal(SessionPhase.Open, other.Phase);
        shard.Advance(Tick);
        Assert.Equal(EndReason.SlowConsumer, other.EndedBy);
    }

    [Fact]
    public void A_stalled_client_that_reads_again_is_pinged_again()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        other.Window = 0;
        shard.Say(one, "slow");
        shard.Advance(4);
        shard.Drain(other);
        shard.Advance(100);
        Assert.Equal(20, other.Frames.Count(frame => frame == "ping"));
        Assert.Equal(SessionPhase.Open, other.Phase);
    }

    [Fact]
    public void A_server_that_stood_still_blames_nobody_for_it()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        shard.Advance(1);
        // Half a minute in one step: the machine slept, and nobody was asked whether he lives.
        shard.Core.Advance(shard.Core.Now + TimeSpan.FromSeconds(31));
        shard.Advance(1);
        Assert.Equal((SessionPhase.Open, SessionPhase.Open), (one.Phase, other.Phase));
        one.AnswersPings = false;
        shard.Advance(30);
        Assert.Equal((EndReason.ClientTimeout, SessionPhase.Open), (one.EndedBy, other.Phase));
    }

    [Fact]
    public void A_stuck_write_is_found_without_heartbeat_too()
    {
        ShardHarness shard = new(new Limits { Heartbeat = TimeSpan.Zero });
        (TestClient one, TestClient other) = shard.Pair();
        other.Window = 0;
        shard.Say(one, "stuck");
        shard.Advance(1);
        shard.Drain(other);
        shard.Advance(10);
        Assert.Equal(SessionPhase.Open, other.Phase);
        other.Window = 0;
        shard.Say(one, "stuck");
        shard.Advance(5);
        Assert.Equal(EndReason.SlowConsumer, other.EndedBy);
    }
}
