using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

public sealed class ShardCloseTests
{
    private readonly ShardHarness _shard = new();

    [Theory]
    [InlineData(0, "close 1000 ")]
    [InlineData(1000, "close 1000 ")]
    [InlineData(1001, "close 1001 ")]
    [InlineData(4999, "close 4999 ")]
    public void A_clients_close_is_echoed_and_then_the_socket_is_released(int code, string echo)
    {
        (TestClient one, TestClient other) = _shard.Pair();
        _shard.Feed(one, code == 0 ? ClientFrames.Close() : ClientFrames.Close(code, "bye"));
        Assert.Equal([echo], one.Frames);
        Assert.Equal([SessionPhase.Leaving, SessionPhase.Finished], one.Phases[^2..]);
        SessionEnd end = Assert.Single(_shard.Observer.Ended);
        Assert.Equal((EndReason.ClientClosed, code == 0 ? 1000 : code), (end.Reason, end.Code));
        Assert.Equal(SessionPhase.Open, other.Phase);
    }

    [Fact]
    public void What_a_leaving_client_has_not_read_is_still_written()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        other.Window = 0;
        _shard.Say(one, "last words");
        _shard.Feed(other, ClientFrames.Close(1000));
        Assert.Equal(SessionPhase.Leaving, other.Phase);
        _shard.Drain(other);
        Assert.Equal(["""text {"message":"last words","sender":{}}""", "close 1000 "], other.Frames);
        Assert.Equal(SessionPhase.Finished, other.Phase);
    }

    [Fact]
    public void A_leaving_client_that_does_not_read_is_cut_in_time()
    {
        TestClient one = _shard.Open();
        one.Window = 0;
        _shard.Feed(one, ClientFrames.Close(1000));
        _shard.Advance(1.9999);
        Assert.Equal(SessionPhase.Leaving, one.Phase);
        _shard.Advance(0.0001);
        _shard.AssertEmpty();
    }

    [Fact]
    public void After_the_servers_close_the_clients_is_awaited_and_all_else_is_ignored()
    {
        TestClient refused = _shard.Join("nowhere");
        Assert.Equal(SessionPhase.Lingering, refused.Phase);
        _shard.Feed(refused, [.. ClientFrames.Text("ignored"), .. ClientFrames.Ping(), .. ClientFrames.Close(4404)[..3]]);
        Assert.Equal(SessionPhase.Lingering, refused.Phase);
        _shard.Feed(refused, ClientFrames.Close(4404)[3..]);
        Assert.Equal(SessionPhase.Finished, refused.Phase);
        Assert.Equal(["close 4404 channel unavailable"], refused.Frames);
        _shard.AssertEmpty();
    }

    [Fact]
    public void A_client_that_does_not_answer_the_close_is_cut_after_the_lingering_time()
    {
        TestClient refused = _shard.Join("nowhere");
        _shard.Advance(1.9999);
        Assert.Equal(SessionPhase.Lingering, refused.Phase);
        _shard.Advance(0.0001);
        _shard.AssertEmpty();
    }

    [Fact]
    public void Nonsense_after_the_servers_close_changes_nothing()
    {
        TestClient refused = _shard.Join("nowhere");
        _shard.Feed(refused, [0xFF, 0xFF, .. ClientFrames.Close(1000)]);
        _shard.Feed(refused, ClientFrames.Close(1000));
        Assert.Equal(SessionPhase.Lingering, refused.Phase);
        _shard.EndInput(refused);
        _shard.AssertEmpty();
    }

    [Fact]
    public void An_end_of_stream_without_a_close_frame_is_a_disconnect()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        _shard.EndInput(one);
        _shard.EndInput(one);
        Assert.Equal((EndReason.Disconnected, 0), (_shard.Observer.Ended[0].Reason, _shard.Observer.Ended[0].Code));
        Assert.Empty(one.Frames);
        Assert.Equal(SessionPhase.Open, other.Phase);
        _shard.Break(other);
        _shard.Break(other);
        _shard.EndInput(other);
        _shard.AssertEmpty();
    }

    [Fact]
    public void Facts_about_a_finished_session_are_harmless()
    {
        TestClient one = _shard.Open();
        _shard.Break(one);
        _shard.Core.Sent(one, 5);
        _shard.Feed(one, ClientFrames.Text("ghost"));
        _shard.EndInput(one);
        _shard.AssertEmpty();
    }

    [Fact]
    public void A_cut_frame_is_given_back_however_the_session_ends()
    {
        TestClient[] clients = [.. Enumerable.Range(0, 4).Select(_ => _shard.Open())];
        foreach (TestClient client in clients)
            _shard.Feed(client, ClientFrames.Text(new string('x', 5000))[..4000]);
        Assert.True(_shard.Core.BuffersLent >= 4);
        _shard.EndInput(clients[0]);
        _shard.Break(clients[1]);
        _shard.EndOldest(1);
        _shard.Advance(400);
        _shard.AssertEmpty();
    }

    [Fact]
    public void A_stopping_server_ends_the_oldest_channels_first_and_what_was_accepted_is_delivered()
    {
        (TestClient one, TestClient other) = _shard.Pair();
        TestClient young = _shard.Open();
        other.Window = 0;
        _shard.Say(one, "before");
        Assert.True(_shard.EndOldest(1));
        Assert.Equal(["close 1001 server shutdown"], one.Frames);
        _shard.Drain(other);
        Assert.Equal(["""text {"message":"before","sender":{}}""", "close 1001 server shutdown"], other.Frames);
        Assert.Equal(SessionPhase.Open, young.Phase);
        Assert.False(_shard.EndOldest(1000));
        _shard.Advance(2);
        _shard.AssertEmpty();
    }

    [Fact]
    public void A_thousand_visitors_of_every_kind_leave_nothing_behind()
    {
        Random random = new(11);
        TestClient host = _shard.Open();
        for (int i = 0; i < 1000; i++)
        {
            TestClient client = random.Next(3) switch
            {
                0 => _shard.Open(),
                1 => _shard.Join(host),
                _ => _shard.Join("unknown"),
            };
            client.AnswersPings = random.Next(2) == 0;
            client.Window = random.Next(3) == 0 ? random.Next(200) : int.MaxValue;
            _shard.Feed(client, ClientFrames.Text("hello")[..random.Next(12)]);
            if (random.Next(2) == 0)
                _shard.Feed(client, ClientFrames.Close(1000));
            else if (random.Next(2) == 0)
                _shard.Break(client);
            _shard.Advance(random.NextDouble());
            if (host.Phase != SessionPhase.Open)
                host = _shard.Open();
        }
        _shard.Advance(400);
        _shard.AssertEmpty();
    }
}
