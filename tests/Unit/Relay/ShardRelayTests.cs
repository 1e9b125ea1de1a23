using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.Relay;

public sealed class ShardRelayTests
{
    private readonly ShardHarness _shard = new();

    [Fact]
    public void The_first_frame_is_the_greeting_with_the_channel_of_the_opener()
    {
        TestClient one = _shard.Open();
        TestClient other = _shard.Join(one);
        string greeting = $"text {{\"channelid\":\"{one.ChannelId}\",\"link\":\"/v1/ws/{one.ChannelId}\"}}";
        Assert.Equal([greeting], one.Frames);
        Assert.Equal([greeting], other.Frames);
        Assert.Equal((1, 1), (_shard.Observer.Opened, _shard.Observer.Joined));
        Assert.Equal((1, 2), (_shard.Core.ChannelCount, _shard.Core.SessionCount));
    }

    [Fact]
    public void A_message_goes_to_all_others_and_not_back()
    {
        TestClient one = _shard.Open(sender: new SenderMetadata("""{"ua":"a"}"""u8.ToArray()));
        TestClient two = _shard.Join(one);
        TestClient three = _shard.Join(one);
        TestClient stranger = _shard.Open();
        _shard.Say(one, " hi\n");
        Assert.Equal("""text {"message":"hi","sender":{"ua":"a"}}""", two.Frames[^1]);
        Assert.Equal(two.Frames[^1], three.Frames[^1]);
        Assert.Single(one.Frames);
        Assert.Single(stranger.Frames);
        _shard.Say(three, "yo");
        Assert.Equal("""text {"message":"yo","sender":{}}""", one.Frames[^1]);
        Assert.Equal(one.Frames[^1], two.Frames[^1]);
        Assert.Equal(2, three.Frames.Count);
    }

    [Fact]
    public void Messages_arrive_in_order_however_they_were_cut()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        byte[] stream = [.. Enumerable.Range(0, 10).SelectMany(i => ClientFrames.Fragments(Opcode.Text, [(byte)'m'], [(byte)('0' + i)]))];
        foreach (byte[] piece in stream.Chunk(7))
            _shard.Feed(one, piece);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"text {{\"message\":\"m{i}\",\"sender\":{{}}}}"), other.Frames);
    }

    [Fact]
    public void A_receiver_who_reads_late_gets_everything_in_order()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        other.Window = 3;
        for (int i = 0; i < 10; i++)
            _shard.Say(one, $"{i}");
        Assert.Empty(other.Frames);
        for (int i = 0; i < 1000; i++)
            _shard.Drain(other, 1);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"text {{\"message\":\"{i}\",\"sender\":{{}}}}"), other.Frames);
    }

    [Fact]
    public void Each_receiver_reads_of_the_sender_in_its_own_language()
    {
        TestClient one = _shard.Open(sender: new Localized());
        TestClient other = _shard.Join(one);
        _shard.Say(one, "x");
        Assert.Equal("""text {"message":"x","sender":{"country":"own"}}""", other.Frames[^1]);
    }

    [Fact]
    public void A_ping_comes_back_as_a_pong_and_a_pong_as_nothing()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        _shard.Feed(one, ClientFrames.Ping("abc"));
        _shard.Feed(one, ClientFrames.Pong("abc"));
        Assert.Equal(["pong abc"], one.Frames);
        Assert.Empty(other.Frames);
    }

    [Fact]
    public void Who_leaves_is_gone_and_the_others_stay()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        TestClient third = _shard.Join(one);
        _shard.Feed(one, ClientFrames.Close(1000));
        Assert.Equal(SessionPhase.Finished, one.Phase);
        _shard.Say(other, "still here");
        Assert.Contains("still here", third.Frames[^1], StringComparison.Ordinal);
        Assert.DoesNotContain(one.Frames, frame => frame.Contains("still", StringComparison.Ordinal));
        Assert.Equal((1, 2), (_shard.Core.ChannelCount, _shard.Core.SessionCount));
    }

    [Fact]
    public void With_the_last_seat_the_channel_is_gone()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        _shard.Feed(one, ClientFrames.Close());
        _shard.Break(other);
        Assert.Equal(["close 4404 channel unavailable"], _shard.Join(one).Frames);
        _shard.Advance(2);
        _shard.AssertEmpty();
        Assert.Equal([EndReason.Disconnected], _shard.Observer.ChannelsEnded);
    }

    [Theory]
    [InlineData("")]
    [InlineData("x")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("!!!!!!!!!!!!!!!!!!!!!!")]
    [InlineData("\u00e9\u0000")]
    public void Whatever_is_no_channel_is_unavailable_without_a_greeting(string id)
    {
        TestClient client = _shard.Join(id, address: "192.0.2.1");
        Assert.Equal(["close 4404 channel unavailable"], client.Frames);
        Assert.Equal(EndReason.ChannelUnavailable, client.EndedBy);
        Assert.Equal(["192.0.2.1"], _shard.Observer.Refused.Select(refused => $"{refused.Address}"));
        _shard.Advance(2);
        _shard.AssertEmpty();
        Assert.Empty(_shard.Observer.Ended);
    }

    [Fact]
    public void Trailing_padding_of_an_id_is_dropped()
    {
        TestClient one = _shard.Open();
        Assert.Equal(one.ChannelId, _shard.Join(one.ChannelId + "==").ChannelId);
    }

    [Fact]
    public void A_shard_draws_only_ids_of_its_own_and_refuses_none_that_it_owns()
    {
        Random random = new(3);
        for (int index = 0; index < 3; index++)
        {
            Shard shard = new(index, 3, new Limits(), new RecordingObserver(), random.NextBytes);
            TestClient client = new();
            shard.Open(client, new Visitor(null, SenderMetadata.Empty, LanguagePriorityList.None), "HEAD"u8);
            client.Take(client.Unsent);
            Assert.Equal(index, shard.OwnerOf(System.Text.Encoding.ASCII.GetBytes(client.ChannelId)));
            Assert.Equal(index, shard.OwnerOf("nonsense"u8));
        }
    }

    private sealed class Localized() : SenderMetadata("""{"country":"own"}"""u8.ToArray());
}
