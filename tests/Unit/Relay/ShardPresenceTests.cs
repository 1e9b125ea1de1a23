using System.Text.Json;
using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>What clients of version 2 hear of each other while some of them do not read.</summary>
public sealed class ShardPresenceTests
{
    private const string Home = "10.0.0.1";

    private readonly ShardHarness _shard = new(new Limits { OutboundMessages = 4, MaxChannelConnections = 100, MaxExchanges = 0 }, resumeWindow: 60);

    [Fact]
    public void A_reader_whose_queue_is_full_of_presence_is_a_slow_consumer()
    {
        TestClient one = Open();
        TestClient two = Join(one);
        one.Window = 0;
        for (int i = 0; i < 5; i++)
            _shard.Join(one, Home);
        Assert.Equal(EndReason.SlowConsumer, one.EndedBy);
        Assert.Equal("1 left", News(two).Last(static news => news.StartsWith("1 ", StringComparison.Ordinal)));
    }

    [Fact]
    public void Ends_that_cause_each_other_are_told_in_their_order()
    {
        TestClient leaving = Open();
        TestClient[] stuck = [Join(leaving), Join(leaving), Join(leaving)];
        TestClient reader = Join(leaving);
        Fill(reader, stuck);
        reader.Frames.Clear();
        _shard.Feed(leaving, ClientFrames.Close(1000));
        Assert.All(stuck, static client => Assert.Equal(EndReason.SlowConsumer, client.EndedBy));
        Assert.Equal(["1 left", "2 left", "3 left", "4 left"], News(reader));
    }

    [Fact]
    public void The_last_message_of_a_client_comes_before_its_end()
    {
        TestClient talker = Open();
        TestClient stuck = Join(talker);
        TestClient reader = Join(talker);
        Fill(reader, talker, stuck);
        reader.Frames.Clear();
        _shard.Say(talker, "last");
        Assert.Equal(EndReason.SlowConsumer, talker.EndedBy);
        Assert.Equal(["1 says last", "2 left", "1 left"], News(reader));
    }

    [Fact]
    public void Who_comes_back_to_a_full_replay_is_there_before_anybody_else_is_gone()
    {
        TestClient lost = Open();
        TestClient stuck = Join(lost);
        TestClient reader = Join(lost);
        lost.PongsHeldBack = true;
        _shard.Break(lost);
        Fill(reader, stuck);
        reader.Frames.Clear();
        TestClient back = _shard.Resume(lost);
        Assert.Equal(SessionPhase.Open, back.Phase);
        Assert.Equal(["1 back", "2 left"], News(reader));
        Assert.Equal(["3 says x", "3 says x", "3 says x", "3 says x", "2 left"], News(back));
    }

    private TestClient Open() => _shard.Open(Home, version: ProtocolVersion.Two);

    private TestClient Join(TestClient other) => _shard.Join(other, Home, version: ProtocolVersion.Two);

    /// <summary>Clients stop to read, and are sent as much as their queues take.</summary>
    private void Fill(TestClient sender, params TestClient[] stuck)
    {
        foreach (TestClient client in stuck)
            client.Window = 0;
        for (int i = 0; i < 4; i++)
            _shard.Say(sender, "x");
        Assert.All(stuck, static client => Assert.Equal(SessionPhase.Open, client.Phase));
    }

    /// <summary>What a client has read about its peers, in order.</summary>
    private static string[] News(TestClient reader) => [.. reader.Texts.Select(Told).Where(static told => told.Length > 0)];

    private static string Told(string text)
    {
        JsonElement frame = JsonDocument.Parse(text).RootElement;
        return frame.GetProperty("type").GetString() switch
        {
            "peer" => $"{frame.GetProperty("peer")} {frame.GetProperty("state")}",
            "message" => $"{frame.GetProperty("peer")} says {frame.GetProperty("message")}",
            _ => "",
        };
    }
}
