using System.Diagnostics;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Pings in both directions, and what becomes of a client that gives no sign of life.</summary>
public sealed class HeartbeatTests(Servers servers)
{
    [Fact]
    public async Task A_ping_is_answered_with_its_payload()
    {
        await using ChannelClient client = await ChannelClient.OpenAsync(await servers.DefaultAsync());
        await client.SendAsync(Golden.Octets("client-ping"));
        Golden.AssertFrame("pong", await client.ReadFrameAsync());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(124)]
    [InlineData(125)]
    public async Task Pings_of_every_legal_size_are_answered_in_order(int octets)
    {
        await using ChannelClient client = await ChannelClient.OpenAsync(await servers.DefaultAsync());
        byte[] payload = [.. Enumerable.Range(0, octets).Select(i => (byte)(i * 7))];
        await client.SendAsync(ClientFrame.Ping(payload), ClientFrame.Ping("next"u8));
        Frame pong = await client.ReadFrameAsync();
        Assert.Equal([0x8A, (byte)octets, .. payload], pong.Raw);
        Assert.Equal("next", (await client.ReadFrameAsync()).PayloadText);
    }

    [Fact]
    public async Task A_pong_that_nobody_asked_for_is_ignored()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await pair.First.SendAsync(ClientFrame.Pong([]), ClientFrame.Pong("unasked"u8), ClientFrame.Text("behind it"));
        await pair.Second.ExpectMessagesAsync("behind it");
    }

    [Fact]
    public async Task The_server_pings_every_heartbeat()
    {
        ServerUnderTest server = await servers.WithAsync("--heartbeat=1 --client_timeout=30");
        Stopwatch waited = Stopwatch.StartNew();
        await using ChannelClient client = await ChannelClient.OpenAsync(server);
        for (int i = 0; i < 3; i++)
            Golden.AssertFrame("ping", await client.Connection.ReadFrameAsync());
        Assert.InRange(waited.Elapsed.TotalSeconds, 2.9, 9);
    }

    [Fact]
    public async Task Without_settings_it_pings_every_five_seconds()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        Stopwatch waited = Stopwatch.StartNew();
        await using ChannelClient client = await ChannelClient.OpenAsync(server);
        Golden.AssertFrame("ping", await client.Connection.ReadFrameAsync());
        Assert.InRange(waited.Elapsed.TotalSeconds, 4, 9);
    }
}

/// <summary>In a class of its own, so that it waits beside the others.</summary>
public sealed class ClientTimeoutTests(Servers servers)
{
    // Long enough for a living client that shares a busy machine to answer.
    private const string Short = "--heartbeat=1 --client_timeout=8";

    private static readonly TimeSpan _twice = TimeSpan.FromSeconds(16);

    [Fact]
    public async Task A_silent_client_is_timed_out_and_a_client_that_answers_pings_is_not()
    {
        ServerUnderTest server = await servers.WithAsync(Short);
        await using ChannelClient alive = await ChannelClient.OpenAsync(server);
        Task<Frame> answering = alive.ReadFrameAsync(_twice + RawConnection.Patience);
        await using ChannelClient talkative = await ChannelClient.JoinAsync(server, alive.ChannelId);
        Task talking = TalkAsync(talkative);
        Stopwatch waited = Stopwatch.StartNew();
        await using ChannelClient silent = await ChannelClient.JoinAsync(server, alive.ChannelId);
        Frame frame;
        do
            frame = await silent.Connection.ReadFrameAsync();
        while (frame.FirstOctet == Frame.Ping);
        Golden.AssertFrame("close-4408", frame);
        await silent.Connection.ExpectEndAsync();
        Assert.InRange(waited.Elapsed.TotalSeconds, 7.9, 16);
        await talking;
        Assert.StartsWith("{\"message\":\"twice as long\",", (await answering).PayloadText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_heartbeat_there_are_neither_pings_nor_timeouts()
    {
        ServerUnderTest server = await servers.WithAsync("--heartbeat=0 --client_timeout=1");
        await using ChannelClient client = await ChannelClient.OpenAsync(server);
        await Assert.ThrowsAsync<TimeoutException>(() => client.Connection.ReadFrameAsync(TimeSpan.FromSeconds(3)));
        await client.ExpectNothingAsync();
    }

    /// <summary>Any frame is a sign of life, even an unfinished message, and even of one who answers no ping.</summary>
    private static async Task TalkAsync(ChannelClient client)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (waited.Elapsed < _twice)
        {
            await client.SendAsync(ClientFrame.Pong("alive"u8));
            await Task.Delay(500, TestContext.Current.CancellationToken);
        }
        await client.SendTextAsync("twice as long");
    }
}
