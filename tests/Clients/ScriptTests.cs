using System.Net;
using ChannelServer.Client;

namespace ChannelServer.Clients;

/// <summary>What a channel server does not do on request, from a server that says what a test tells it to.</summary>
public sealed class ScriptTests
{
    [Fact]
    public async Task A_server_that_goes_elsewhere_is_followed_with_the_token_and_the_count()
    {
        await using ScriptedServer server = new();
        (ChannelClient client, ScriptedConnection first) = await GreetedAsync(server, Talk.Quick);
        await using (client)
        {
            Assert.Equal("/pairing/v1/ws/?region=eu", first.Target);
            await first.MessageAsync(1, "one");
            Assert.Equal("one", (await client.NextAsync()).Text);
            Task[] sending = [client.SendAsync("a"), client.SendAsync("b"), client.SendAsync("c")];
            Assert.Equal("a", await first.ReadAsync());
            Assert.Equal("b", await first.ReadAsync());
            Assert.Equal("c", await first.ReadAsync());
            await first.SayAsync("""{"type":"ack","received":1}""");
            await sending[0].WaitAsync(Talk.Patience);
            await first.SayAsync("""{"type":"end","code":1012,"reason":"service restart","retry":true}""");

            ScriptedConnection second = await server.NextAsync();
            Assert.Equal($"/pairing/v1/ws/AAAAAAAAAAAAAAAAAAAAAA?region=eu&resume={new string('0', 32)}&received=1", second.Target);
            await second.GreetAsync(received: 2, token: '1');
            await second.MessageAsync(1, "one");
            await second.MessageAsync(2, "two");
            Assert.Equal("two", (await client.NextAsync()).Text);
            await sending[1].WaitAsync(Talk.Patience);
            Assert.Equal("c", await second.ReadAsync());
            await second.SayAsync("""{"type":"ack","received":3}""");
            await sending[2].WaitAsync(Talk.Patience);
            second.Cut();

            ScriptedConnection third = await server.NextAsync();
            Assert.EndsWith($"&resume={new string('1', 32)}&received=2", third.Target, StringComparison.Ordinal);
            await third.SayAsync("""{"type":"end","code":4401,"reason":"resume refused","retry":false}""");
            await client.ExpectEndAsync(4401, "resume refused", false);
        }
    }

    [Theory]
    [InlineData("""{"type":"message","seq":2,"peer":"2","message":"two","sender":{}}""", "a gap in the sequence")]
    [InlineData("""{"type":"ack","received":1}""", "an acknowledgement out of range")]
    [InlineData("""{"type":"message"}""", "a malformed frame")]
    [InlineData("""{"type":"message","seq":1,"message":null}""", "a malformed frame")]
    [InlineData("""{"type":"expiring","expires_in":9223372036854775807}""", "a malformed frame")]
    [InlineData("null", "a malformed frame")]
    [InlineData("no JSON", "a malformed frame")]
    public async Task What_no_channel_server_says_is_the_end(string frame, string reason)
    {
        await using ScriptedServer server = new();
        (ChannelClient client, ScriptedConnection connection) = await GreetedAsync(server, Talk.Quick);
        await using (client)
        {
            await connection.SayAsync(frame);
            await client.ExpectEndAsync(1002, reason, false);
        }
    }

    [Fact]
    public async Task Frames_of_an_unknown_type_are_passed_over()
    {
        await using ScriptedServer server = new();
        (ChannelClient client, ScriptedConnection connection) = await GreetedAsync(server, Talk.Quick);
        await using (client)
        {
            await connection.SayAsync("""{"type":"news","weather":"fine"}""");
            await connection.MessageAsync(1, "one");
            Assert.Equal("one", (await client.NextAsync()).Text);
            await connection.SayAsync("""{"type":"end","code":4410,"reason":"channel expired","retry":false}""");
        }
    }

    [Fact]
    public async Task A_server_that_knows_only_version_1_is_spoken_to_in_version_1()
    {
        await using ScriptedServer server = new() { Subprotocol = null };
        Task<ChannelClient> opening = ChannelClient.OpenAsync(server.Url, Talk.Quick);
        ScriptedConnection connection = await server.NextAsync();
        await connection.SayAsync("""{"channelid":"AAAAAAAAAAAAAAAAAAAAAA","link":"/v1/ws/AAAAAAAAAAAAAAAAAAAAAA"}""");
        await using ChannelClient client = await opening;
        Assert.Equal(1, client.Version);
        await connection.SayAsync("""{"message":"hello","sender":{"remote":"203.0.113.9"}}""");
        ChannelMessage message = await client.NextAsync();
        Assert.Equal(("hello", "203.0.113.9", 1), (message.Text, message.Sender.Remote, message.Number));
        await client.SendAsync("answer").WaitAsync(Talk.Patience);
        Assert.Equal("answer", await connection.ReadAsync());
        connection.Cut();
        await client.ExpectEndAsync(1006, "connection lost", true);
    }

    [Fact]
    public async Task A_server_that_asks_for_patience_gets_it()
    {
        WatchedTime time = new();
        await using ScriptedServer server = new();
        server.Refusals.Enqueue(503);
        Task<ChannelClient> opening = ChannelClient.OpenAsync(server.Url, Talk.Quick with { TimeProvider = time });
        Task<ScriptedConnection> upgraded = server.NextAsync();
        // What the server asks for, which is more than this client would wait by itself.
        await time.TimerAsync(TimeSpan.FromSeconds(7));
        time.Advance(TimeSpan.FromSeconds(6.9));
        await Task.Delay(100);
        Assert.False(upgraded.IsCompleted, "It came back too early.");
        time.Advance(TimeSpan.FromSeconds(0.1));
        await (await upgraded).GreetAsync();
        ChannelClient client = await opening.WaitAsync(Talk.Patience);
        await (await upgraded).SayAsync("""{"type":"end","code":4410,"reason":"channel expired","retry":false}""");
        await client.ExpectEndAsync(4410, "channel expired", false);
        await client.DisposeAsync();
    }

    [Theory]
    [InlineData(4401, "resume refused", false)]
    [InlineData(1008, "slow consumer", false)]
    [InlineData(1001, "server shutdown", true)]
    public async Task An_end_in_the_midst_is_the_end_and_nobody_comes_again(int code, string reason, bool retry)
    {
        await using ScriptedServer server = new();
        (ChannelClient client, ScriptedConnection connection) = await GreetedAsync(server, Talk.Quick);
        await using (client)
        {
            Task sending = client.SendAsync("unheard");
            await connection.SayAsync($$"""{"type":"end","code":{{code}},"reason":"{{reason}}","retry":{{(retry ? "true" : "false")}}}""");
            await client.ExpectEndAsync(code, reason, retry);
            Assert.Equal(code, (await Assert.ThrowsAsync<ChannelException>(() => sending)).Code);
            Assert.Equal(code, Assert.Throws<ChannelException>(() => client.Post("late")).Code);
            Assert.Equal(0, server.Waiting);
        }
    }

    [Fact]
    public async Task A_full_channel_is_told_at_once()
    {
        await using ScriptedServer server = new();
        Task<ChannelClient> joining = ChannelClient.JoinAsync(server.Url, "AAAAAAAAAAAAAAAAAAAAAA", Talk.Quick);
        await (await server.NextAsync()).SayAsync("""{"type":"end","code":4409,"reason":"channel full","retry":false}""");
        ChannelException full = await Assert.ThrowsAsync<ChannelException>(() => joining.WaitAsync(Talk.Patience));
        Assert.Equal((4409, "channel full", false), (full.Code, full.Reason, full.Retry));
        Assert.Equal(0, server.Waiting);
    }

    [Fact]
    public async Task Who_is_refused_again_and_again_is_told_how()
    {
        await using ScriptedServer server = new();
        server.Refusals.Enqueue(500);
        server.Refusals.Enqueue(503);
        ChannelException refused = await Assert.ThrowsAsync<ChannelException>(
            () => ChannelClient.OpenAsync(server.Url, Talk.Quick with { OpenTimeout = TimeSpan.FromSeconds(5) }).WaitAsync(Talk.Patience));
        Assert.Equal((1006, "no connection", true), (refused.Code, refused.Reason, refused.Retry));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.IsType<System.Net.WebSockets.WebSocketException>(refused.InnerException);
    }

    [Fact]
    public async Task An_upgrade_that_is_refused_to_a_resume_is_tried_again()
    {
        await using ScriptedServer server = new();
        (ChannelClient client, ScriptedConnection connection) = await GreetedAsync(server, Talk.Quick);
        await using (client)
        {
            server.Refusals.Enqueue(403);
            server.Refusals.Enqueue(429);
            server.Refusals.Enqueue(502);
            Task resumed = client.ResumedAsync();
            connection.Cut();
            await (await server.NextAsync()).GreetAsync();
            await resumed;
            Assert.Empty(server.Refusals);
        }
    }

    [Fact]
    public async Task Whoever_waits_for_a_greeting_can_stop_waiting()
    {
        await using ScriptedServer server = new();
        using CancellationTokenSource enough = new();
        Task<ChannelClient> opening = ChannelClient.OpenAsync(server.Url, Talk.Quick, enough.Token);
        await server.NextAsync();
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening.WaitAsync(Talk.Patience));
    }

    [Fact]
    public async Task A_client_that_is_closed_in_an_outage_that_does_not_end_is_closed_all_the_same()
    {
        await using ScriptedServer server = new();
        (ChannelClient client, ScriptedConnection connection) = await GreetedAsync(server, Talk.Quick with { CloseTimeout = TimeSpan.FromMilliseconds(200) });
        Task lost = client.LostAsync();
        connection.Cut();
        await lost;
        Task sending = client.SendAsync("unheard");
        await client.CloseAsync().WaitAsync(Talk.Patience);
        await client.ExpectEndAsync(1006, "", false);
        Assert.Equal(1006, (await Assert.ThrowsAsync<ChannelException>(() => sending)).Code);
        await client.DisposeAsync();
    }

    private static async Task<(ChannelClient, ScriptedConnection)> GreetedAsync(ScriptedServer server, ChannelClientOptions options)
    {
        Task<ChannelClient> opening = ChannelClient.OpenAsync(server.Url, options);
        ScriptedConnection connection = await server.NextAsync();
        await connection.GreetAsync();
        return (await opening.WaitAsync(Talk.Patience), connection);
    }
}
