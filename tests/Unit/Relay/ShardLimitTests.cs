using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.Relay;

public sealed class ShardLimitTests
{
    [Fact]
    public void The_message_after_max_exchanges_is_not_delivered_and_closes_all()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        for (int i = 0; i < 5; i++)
        {
            shard.Say(one, "a");
            shard.Say(other, "b");
        }
        Assert.Equal(5, one.Frames.Count);
        shard.Say(one, "too many");
        Assert.Equal("close 4429 exchange limit", one.Frames[^1]);
        Assert.Equal(6, other.Frames.Count);
        Assert.Equal("close 4429 exchange limit", other.Frames[^1]);
        Assert.Equal([EndReason.ExchangeLimit], shard.Observer.ChannelsEnded);
        Assert.Equal([5, 5], shard.Observer.Ended.Select(end => end.Messages));
        shard.Advance(2);
        shard.AssertEmpty();
    }

    [Fact]
    public void Messages_in_one_read_obey_the_limit_too()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        shard.Feed(one, [.. Enumerable.Repeat(ClientFrames.Text("x"), 30).SelectMany(frame => frame)]);
        Assert.Equal(11, other.Frames.Count);
        Assert.Equal(["close 4429 exchange limit"], one.Frames);
    }

    [Fact]
    public void Messages_to_nobody_count()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 1 });
        TestClient one = shard.Open();
        shard.Say(one, "x");
        Assert.Single(one.Frames);
        shard.Say(one, "x");
        Assert.Equal("close 4429 exchange limit", one.Frames[^1]);
    }

    [Fact]
    public void The_message_that_would_exceed_max_data_is_not_delivered_and_closes_all()
    {
        ShardHarness shard = new(new Limits { MaxData = 10 });
        (TestClient one, TestClient other) = shard.Pair();
        shard.Say(one, "  12345  "); // Only what is relayed counts.
        shard.Say(other, "123é");
        Assert.Equal(2, other.Frames.Count + one.Frames.Count);
        shard.Say(one, " ");
        Assert.Equal("""text {"message":"","sender":{}}""", other.Frames[^1]);
        shard.Say(one, "1");
        Assert.Equal("close 4413 data limit", one.Frames[^1]);
        Assert.Equal(["close 4413 data limit"], other.Frames[2..]);
        Assert.Equal([EndReason.DataLimit], shard.Observer.ChannelsEnded);
    }

    [Fact]
    public void Zero_means_no_limit()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 0, MaxData = 0, ConnLifespan = TimeSpan.Zero });
        (TestClient one, TestClient other) = shard.Pair();
        for (int i = 0; i < 1000; i++)
            shard.Say(one, "x");
        Assert.Equal(1000, other.Frames.Count);
        shard.Advance(100_000);
        Assert.Equal(SessionPhase.Open, one.Phase);
    }

    [Fact]
    public void What_was_accepted_before_a_limit_is_written_before_the_close()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        other.Window = 0;
        shard.Feed(one, [.. Enumerable.Repeat(ClientFrames.Text("x"), 11).SelectMany(frame => frame)]);
        shard.Drain(other);
        Assert.Equal(11, other.Frames.Count);
        Assert.Equal("close 4429 exchange limit", other.Frames[^1]);
    }

    [Fact]
    public void One_more_than_max_channel_connections_is_refused()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        TestClient third = shard.Join(one, "10.0.0.1");
        Assert.Equal(["close 4409 channel full"], shard.Join(one, "10.0.0.1").Frames);
        Assert.Equal(SessionPhase.Open, third.Phase);
        shard.Feed(other, ClientFrames.Close());
        Assert.Equal(SessionPhase.Open, shard.Join(one, "10.0.0.1").Phase);
    }

    [Theory]
    [InlineData("10.0.0.1", true)]
    [InlineData("10.0.0.2", true)]
    [InlineData("::ffff:10.0.0.2", true)]
    [InlineData("10.0.0.3", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData(null, false)]
    public void From_the_third_join_on_only_known_addresses_come_in(string? address, bool welcome)
    {
        ShardHarness shard = new();
        (TestClient one, TestClient _) = shard.Pair();
        TestClient third = shard.Join(one, address);
        Assert.Equal(welcome, third.Phase == SessionPhase.Open);
        if (!welcome)
            Assert.Equal(["close 4404 channel unavailable"], third.Frames);
    }

    [Fact]
    public void A_known_address_is_known_after_it_has_left_and_IPv6_by_its_64()
    {
        ShardHarness shard = new();
        TestClient one = shard.Open("2001:db8:0:1::1");
        TestClient two = shard.Join(one, "2001:db8:0:2::1");
        shard.Break(two);
        Assert.Equal(EndReason.AddressUnknown, shard.Join(one, "2001:db8:0:3::1").EndedBy);
        Assert.Equal(SessionPhase.Open, shard.Join(one, "2001:db8:0:2:ffff::9").Phase);
        Assert.Equal(SessionPhase.Open, shard.Join(one, "2001:db8:0:1:ffff::9").Phase);
    }

    [Fact]
    public void Unknown_addresses_never_match_each_other()
    {
        ShardHarness shard = new();
        TestClient one = shard.Open(null);
        Assert.Equal(SessionPhase.Open, shard.Join(one, null).Phase);
        Assert.Equal(EndReason.AddressUnknown, shard.Join(one, null).EndedBy);
    }

    [Fact]
    public void A_stranger_is_not_told_that_a_channel_is_full()
    {
        ShardHarness shard = new(new Limits { MaxChannelConnections = 2 });
        (TestClient one, TestClient _) = shard.Pair();
        Assert.Equal(["close 4404 channel unavailable"], shard.Join(one, "192.0.2.9").Frames);
        Assert.Equal(["close 4409 channel full"], shard.Join(one, "10.0.0.2").Frames);
    }

    [Theory]
    [InlineData(100, 100, 0)]
    [InlineData(101, 0, 1009)]
    public void The_limit_of_a_message_is_exact(int octets, int delivered, int code)
    {
        ShardHarness shard = new(new Limits { MaxMessage = 100 });
        (TestClient one, TestClient other) = shard.Pair();
        shard.Say(one, new string('y', octets));
        Assert.Equal(delivered, other.Frames.Sum(frame => frame.Count(character => character == 'y')));
        Assert.Equal(code == 0 ? [] : ["close 1009 message too big"], one.Frames);
        Assert.Equal(SessionPhase.Open, other.Phase);
    }

    [Fact]
    public void Faults_of_a_client_end_it_alone_with_the_code_of_the_fault()
    {
        AssertFault([0xC1], "close 1002 protocol error", EndReason.ProtocolError);
        AssertFault(ClientFrames.Frame(Opcode.Text, [0xFF]), "close 1007 invalid utf-8", EndReason.InvalidUtf8);
        AssertFault(ClientFrames.Frame(Opcode.Binary, [1]), "close 1003 text only", EndReason.BinaryMessage);
        AssertFault(ClientFrames.Fragments(Opcode.Text, [.. Enumerable.Repeat<byte[]>([], 65)]), "close 1008 fragments", EndReason.TooManyFragments);
        AssertFault(ClientFrames.Header(0x81, long.MaxValue), "close 1009 message too big", EndReason.MessageTooBig);
    }

    [Fact]
    public void A_flood_of_control_frames_ends_its_sender()
    {
        ShardHarness shard = new(new Limits { ControlBurst = 600, ControlOctetsPerSecond = 60 });
        (TestClient one, TestClient other) = shard.Pair();
        for (int i = 0; i < 50; i++)
        {
            shard.Feed(one, ClientFrames.Ping());
            shard.Feed(one, ClientFrames.Pong());
        }
        Assert.Equal(SessionPhase.Open, one.Phase);
        shard.Feed(one, ClientFrames.Pong());
        Assert.Equal("close 1008 rate", one.Frames[^1]);
        Assert.Equal(SessionPhase.Open, other.Phase);
        shard.Advance(1);
        for (int i = 0; i < 100; i++)
            shard.Feed(other, ClientFrames.Ping());
        Assert.Equal(SessionPhase.Open, other.Phase);
    }

    private static void AssertFault(byte[] bytes, string close, EndReason reason)
    {
        ShardHarness shard = new();
        (TestClient one, TestClient other) = shard.Pair();
        // What comes after the fault is not looked at, not even a close.
        shard.Feed(one, [.. bytes, .. ClientFrames.Close(1000)]);
        shard.Feed(one, ClientFrames.Text("late"));
        Assert.Equal([close], one.Frames);
        Assert.Equal(reason, one.EndedBy);
        Assert.Equal(SessionPhase.Lingering, one.Phase);
        Assert.Empty(other.Frames);
        Assert.Equal(SessionPhase.Open, other.Phase);
        shard.EndInput(one);
        Assert.Equal(SessionPhase.Finished, one.Phase);
        shard.Break(other);
        shard.AssertEmpty();
    }
}
