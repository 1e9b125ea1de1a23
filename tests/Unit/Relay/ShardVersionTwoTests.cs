using System.Text;
using System.Text.Json;
using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>Version 2 of the protocol, alone and beside version 1, and messages that are kept for whoever comes first.</summary>
public sealed class ShardVersionTwoTests
{
    private static readonly SenderMetadata _alice = new(Encoding.UTF8.GetBytes("""{"ua":"alice"}"""));
    private static readonly SenderMetadata _bob = new(Encoding.UTF8.GetBytes("""{"ua":"bob"}"""));

    private readonly ShardHarness _shard = new(resumeWindow: 60);

    private TestClient Open() => _shard.Open(sender: _alice, version: ProtocolVersion.Two);

    private TestClient Join(TestClient other) => _shard.Join(other, sender: _bob, version: ProtocolVersion.Two);

    [Fact]
    public void The_greeting_tells_the_limits_and_who_is_there()
    {
        TestClient one = Open();
        _shard.Advance(10.2);
        TestClient two = Join(one);
        string head = $$"""{"type":"greeting","channelid":"{{one.ChannelId}}","link":"/v1/ws/{{one.ChannelId}}","resume":""";
        const string Limits = "\"max_exchanges\":10,\"max_data\":0,\"max_message\":65536,\"received\":0,";
        Assert.Equal($$"""{{head}}"{{one.Token}}","expires_in":300,{{Limits}}"peers":[]}""", one.Texts.First());
        Assert.Equal(
            $$"""{{head}}"{{two.Token}}","expires_in":290,{{Limits}}""" + "\"peers\":[{\"peer\":\"1\",\"state\":\"here\",\"sender\":{\"ua\":\"alice\"}}]}", two.Texts.First());
        Assert.Equal("""{"type":"peer","peer":"2","state":"joined","sender":{"ua":"bob"}}""", one.Texts.Last());
        Assert.All(one.Texts.Concat(two.Texts), static text => JsonDocument.Parse(text).Dispose());
    }

    [Fact]
    public void Messages_are_numbered_and_acknowledged()
    {
        TestClient one = Open();
        TestClient two = Join(one);
        one.Frames.Clear();
        two.Frames.Clear();
        _shard.Feed(one, [.. ClientFrames.Text("a\"b"), .. ClientFrames.Text("c")]);
        Assert.Equal(["text {\"type\":\"ack\",\"received\":2}"], one.Frames);
        Assert.Equal(
            [
                """text {"type":"message","seq":1,"peer":"1","message":"a\"b","sender":{"ua":"alice"}}""",
                """text {"type":"message","seq":2,"peer":"1","message":"c","sender":{"ua":"alice"}}""",
                "ping 2",
            ], two.Frames);
    }

    [Fact]
    public void Both_versions_sit_in_one_channel()
    {
        TestClient one = Open();
        TestClient two = _shard.Join(one, sender: _bob);
        one.Frames.Clear();
        two.Frames.Clear();
        _shard.Say(two, "from one");
        _shard.Say(one, "from two");
        Assert.Equal(["text {\"message\":\"from two\",\"sender\":{\"ua\":\"alice\"}}", "ping 1"], two.Frames);
        Assert.Equal("""text {"type":"message","seq":1,"peer":"2","message":"from one","sender":{"ua":"bob"}}""", one.Frames[0]);
        _shard.Feed(two, ClientFrames.Close(1000));
        Assert.Equal("""text {"type":"peer","peer":"2","state":"left","sender":{"ua":"bob"}}""", one.Frames[^1]);
    }

    [Fact]
    public void Peers_go_away_come_back_and_leave()
    {
        TestClient one = Open();
        TestClient two = Join(one);
        _shard.Break(two);
        TestClient three = _shard.Join(one, "10.0.0.1", version: ProtocolVersion.Two);
        Assert.Contains("""{"peer":"2","state":"away","sender":{"ua":"bob"}}""", three.Texts.First(), StringComparison.Ordinal);
        TestClient back = _shard.Resume(two);
        Assert.Contains("\"received\":0,\"peers\":[{\"peer\":\"1\",\"state\":\"here\"", back.Texts.First(), StringComparison.Ordinal);
        _shard.Break(back);
        _shard.Advance(60);
        string[] states = [.. one.Texts.Where(static text => text.Contains("\"peer\":\"2\"", StringComparison.Ordinal)).Select(State)];
        Assert.Equal(["joined", "away", "back", "away", "left"], states);
    }

    [Fact]
    public void What_was_accepted_is_told_before_the_end()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 2 }, resumeWindow: 60);
        TestClient one = shard.Open(version: ProtocolVersion.Two);
        shard.Join(one);
        one.Frames.Clear();
        shard.Feed(one, [.. ClientFrames.Text("1"), .. ClientFrames.Text("2"), .. ClientFrames.Text("3")]);
        Assert.Equal("""text {"type":"ack","received":2}""", one.Frames[0]);
        Assert.StartsWith("""text {"type":"end","code":4429,""", one.Frames[1], StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_accepted_is_told_before_the_echo_of_a_close()
    {
        TestClient one = Open();
        Join(one);
        one.Frames.Clear();
        _shard.Feed(one, [.. ClientFrames.Text("1"), .. ClientFrames.Close(1000)]);
        Assert.Equal(["""text {"type":"ack","received":1}""", "close 1000"], one.Frames.Select(static frame => frame.TrimEnd()));
    }

    [Fact]
    public void A_client_that_does_not_read_is_told_once_what_was_accepted()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 0 }, resumeWindow: 60);
        TestClient one = shard.Open(version: ProtocolVersion.Two);
        TestClient two = shard.Join(one);
        one.Frames.Clear();
        one.Window = 0;
        shard.Say(two, "stuck");
        for (int i = 0; i < 100; i++)
            shard.Say(one, "talk");
        Assert.InRange(one.Unsent.Length, 1, 200);
        shard.Drain(one);
        Assert.Equal(["""text {"type":"ack","received":100}"""], one.Frames.Where(static frame => frame.Contains("\"ack\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void After_a_resume_the_client_knows_what_to_send_again()
    {
        TestClient one = Open();
        TestClient two = Join(one);
        _shard.Say(two, "1");
        _shard.Say(two, "2");
        two.PongsHeldBack = true;
        _shard.Say(one, "x");
        _shard.Break(two);
        TestClient back = _shard.Resume(two, more: "&received=0");
        Assert.Contains("\"received\":2,", back.Texts.First(), StringComparison.Ordinal);
        Assert.Equal("""{"type":"message","seq":1,"peer":"1","message":"x","sender":{"ua":"alice"}}""", back.Texts.Skip(1).Single());
        _shard.Say(back, "3");
        Assert.Equal("""{"type":"ack","received":3}""", back.Texts.Last());
        // The length of the session counts, not of the seat: two messages and one.
        _shard.Feed(back, ClientFrames.Close(1000));
        Assert.Equal([2, 1], _shard.Observer.Ended.Select(static end => end.Messages));
    }

    [Fact]
    public void An_end_is_told_before_the_close()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 1 }, resumeWindow: 60);
        TestClient one = shard.Open(version: ProtocolVersion.Two);
        TestClient two = shard.Join(one, version: ProtocolVersion.Two);
        shard.Say(one, "a");
        shard.Say(one, "b");
        string[] end = ["""text {"type":"end","code":4429,"reason":"exchange limit","retry":false}""", "close 4429 exchange limit"];
        Assert.Equal(end, one.Frames[^2..]);
        Assert.Equal(end, two.Frames[^2..]);
        Assert.DoesNotContain(one.Texts.Concat(two.Texts), static text => text.Contains("left", StringComparison.Ordinal));
        TestClient late = shard.Join(one, version: ProtocolVersion.Two);
        Assert.Equal(
            ["""text {"type":"end","code":4404,"reason":"channel unavailable","retry":false}""", "close 4404 channel unavailable"], late.Frames);
        TestClient leaving = shard.Open(version: ProtocolVersion.Two);
        shard.Feed(leaving, ClientFrames.Close(1000));
        Assert.Equal("close 1000 ", leaving.Frames[^1]);
        Assert.DoesNotContain(leaving.Texts, static text => text.Contains("\"end\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(300, 270, true)]
    [InlineData(30, 0, false)]
    public void The_end_of_the_lifespan_is_announced_once(int lifespan, int after, bool isAnnounced)
    {
        ShardHarness shard = new(new Limits { ConnLifespan = TimeSpan.FromSeconds(lifespan), Heartbeat = TimeSpan.Zero }, resumeWindow: 60);
        TestClient one = shard.Open(version: ProtocolVersion.Two);
        TestClient two = shard.Join(one);
        one.Frames.Clear();
        two.Frames.Clear();
        shard.Advance(after);
        Assert.Equal(isAnnounced ? ["text {\"type\":\"expiring\",\"expires_in\":30}"] : [], one.Frames);
        Assert.Empty(two.Frames);
        shard.Advance(lifespan - after);
        Assert.Equal("close 4410 channel expired", one.Frames[^1]);
        Assert.Single(shard.Observer.ChannelsEnded);
    }

    [Fact]
    public void A_stopping_server_ends_channels_of_both_lists_the_oldest_first()
    {
        TestClient old = Open();
        _shard.Advance(280);
        TestClient young = Open();
        Assert.True(_shard.EndOldest(1));
        Assert.Equal("close 1001 server shutdown", old.Frames[^1]);
        Assert.Equal(SessionPhase.Open, young.Phase);
        Assert.False(_shard.EndOldest(1));
        Assert.Contains("""text {"type":"end","code":1001,"reason":"server shutdown","retry":true}""", young.Frames);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_said_to_nobody_is_kept_for_whoever_comes_first(bool speaksTwo)
    {
        ProtocolVersion version = speaksTwo ? ProtocolVersion.Two : ProtocolVersion.One;
        TestClient one = _shard.Open(sender: _alice);
        _shard.Say(one, " first ");
        _shard.Break(one);
        TestClient back = _shard.Resume(one);
        _shard.Say(back, "second");
        Assert.Equal(1, _shard.Core.KeptBuffersLent);
        TestClient two = _shard.Join(one, version: version);
        string[] messages = [.. two.Texts.Skip(1).Select(static text => JsonDocument.Parse(text).RootElement.GetProperty("message").GetString()!)];
        Assert.Equal(["first", "second"], messages);
        Assert.Equal(0, _shard.Core.KeptBuffersLent);
        Assert.Single(_shard.Join(one, version: ProtocolVersion.One).Texts);
        // Once somebody was there, what is said to nobody is lost, as with Mozilla's server.
        ShardHarness shard = new(resumeWindow: 60);
        (TestClient speaker, TestClient first) = shard.Pair();
        shard.Feed(first, ClientFrames.Close(1000));
        shard.Say(speaker, "lost");
        Assert.Single(shard.Join(speaker).Texts);
    }

    [Fact]
    public void What_is_kept_is_counted_and_bounded()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 4, OutboundMessages = 3 }, resumeWindow: 0);
        TestClient one = shard.Open();
        for (int i = 0; i < 3; i++)
            shard.Say(one, "kept");
        TestClient two = shard.Join(one);
        Assert.Equal(4, two.Texts.Count());
        shard.Say(two, "fourth");
        shard.Say(two, "fifth");
        Assert.Equal("close 4429 exchange limit", one.Frames[^1]);

        TestClient loud = shard.Open();
        for (int i = 0; i < 4; i++)
            shard.Say(loud, "kept");
        Assert.Equal("close 1008 rate", loud.Frames[^1]);
        shard.Advance(5);
        shard.AssertEmpty();
        Assert.Equal([ChannelOutcome.Paired, ChannelOutcome.Lonely], shard.Observer.Outcomes);
    }

    private static string State(string text) => JsonDocument.Parse(text).RootElement.GetProperty("state").GetString()!;
}
