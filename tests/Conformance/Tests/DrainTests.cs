using System.Collections.Concurrent;
using System.Diagnostics;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>SIGTERM with a grace and a window: nothing new, the ends spread, nobody reset; and the second signal.</summary>
public sealed class DrainTests
{
    [Fact]
    public async Task In_the_grace_sessions_go_on_and_nothing_new_is_taken()
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--drain_grace=30");
        await using ServerProcess process = server.Process!;
        await using Pair pair = await Pair.OpenAsync(server);
        await using RawConnection used = await RawConnection.ConnectAsync(server.Address);
        await used.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n\r\n");
        Assert.Equal(200, (await used.ReadResponseAsync()).Status);

        process.Signal(ServerProcess.Sigterm);
        await UntilDrainingAsync(server);
        foreach (string target in (string[])["/v1/ws/", $"/v1/ws/{pair.First.ChannelId}"])
        {
            await using RawConnection late = await RawConnection.ConnectAsync(server.Address);
            await late.SendAsync(new UpgradeRequest(target).ToBytes());
            HttpResponse answer = await late.ReadResponseAsync();
            Assert.Equal(503, answer.Status);
            answer.AssertTryLater();
        }
        await used.SendAsync(new UpgradeRequest().ToBytes());
        HttpResponse behind = await used.ReadResponseAsync();
        Assert.Equal(503, behind.Status);
        behind.AssertTryLater();
        foreach (string path in (string[])["/__heartbeat__", "/__version__"])
        {
            await using RawConnection health = await RawConnection.ConnectAsync(server.Address);
            await health.SendAsync($"GET {path} HTTP/1.1\r\nHost: channel.example\r\nConnection: close\r\n\r\n");
            Assert.Equal(200, (await health.ReadResponseAsync()).Status);
        }
        await Pair.ExpectRelayAsync(pair.First, pair.Second);

        Stopwatch waited = Stopwatch.StartNew();
        process.Signal(ServerProcess.Sigterm);
        await pair.First.ExpectCloseAsync("close-1001");
        await pair.Second.ExpectCloseAsync("close-1001");
        ServerProcess.Outcome outcome = await process.EndedAsync();
        Assert.True(outcome.Status == 0, outcome.ToString());
        // Half of the grace.
        Assert.True(waited.Elapsed < TimeSpan.FromSeconds(15), $"A second signal took {waited.Elapsed}.");
    }

    [Fact]
    public async Task The_ends_are_spread_over_the_window_and_everyone_is_told()
    {
        const int Channels = 500;
        TimeSpan window = TimeSpan.FromSeconds(20);
        // Without pings: a client that gets round to one only after its close, on a machine that is busy, would send its pong to nobody.
        ServerUnderTest server = await ServerProcess.StartAsync($"--drain_window={window.TotalSeconds}", "--log_rate=1", "--heartbeat=0");
        await using ServerProcess process = server.Process!;
        List<ChannelClient> clients = [];
        for (int i = 0; i < Channels; i++)
        {
            ChannelClient first = await ChannelClient.OpenAsync(server);
            clients.Add(first);
            clients.Add(await ChannelClient.JoinAsync(server, first.ChannelId));
        }
        // In flight when the signal comes.
        await clients[^2].SendTextAsync("last words");
        await clients[^2].ExpectNothingAsync();

        Stopwatch waited = Stopwatch.StartNew();
        process.Signal(ServerProcess.Sigterm);
        ConcurrentBag<TimeSpan> ends = [];
        await Task.WhenAll(clients.Select(async client =>
        {
            if (client == clients[^1])
                await client.ExpectMessagesAsync("last words");
            // Fails on a reset, and on an end without the code.
            await client.ExpectCloseAsync("close-1001", window + RawConnection.Patience);
            ends.Add(waited.Elapsed);
            await client.DisposeAsync();
        }));
        ServerProcess.Outcome outcome = await process.EndedAsync();

        Assert.True(outcome.Status == 0, outcome.ToString());
        Assert.Equal(2 * Channels, ends.Count);
        Assert.True(waited.Elapsed < window + TimeSpan.FromSeconds(10), $"Stopping took {waited.Elapsed}.");
        // Evenly: in each fifth of the window about a fifth of them. A reader that lags sees an end later than it was, and never earlier:
        // five seconds of that are forgiven.
        for (int fifth = 1; fifth < 5; fifth++)
        {
            double share = ends.Count(end => end < window * (fifth / 5.0)) / (double)ends.Count;
            Assert.InRange(share, (fifth / 5.0) - 0.25, (fifth / 5.0) + 0.05);
        }
    }

    [Fact]
    public async Task Who_comes_while_the_server_stops_gets_an_answer_and_no_reset()
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--drain_window=10");
        await using ServerProcess process = server.Process!;
        ChannelClient[] clients = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => ChannelClient.OpenAsync(server)));
        process.Signal(ServerProcess.Sigterm);
        await UntilDrainingAsync(server);
        Task leaving = Task.WhenAll(clients.Select(async client =>
        {
            await client.ExpectCloseAsync("close-1001");
            await client.DisposeAsync();
        }));
        int answered = 0;
        // Far from the end of the window: a client that comes after the ports are closed is refused by the system.
        for (Stopwatch waited = Stopwatch.StartNew(); waited.Elapsed < TimeSpan.FromSeconds(0.7); answered++)
        {
            await using RawConnection late = await RawConnection.ConnectAsync(server.Address);
            await late.SendAsync(new UpgradeRequest().ToBytes());
            HttpResponse answer = await late.ReadResponseAsync();
            Assert.Equal(503, answer.Status);
            answer.AssertTryLater();
        }
        // The rest of the window would show nothing more.
        process.Signal(ServerProcess.Sigterm);
        await leaving;
        // How many depends on how busy the machine is.
        Assert.True(answered > 0);
        Assert.Equal(0, (await process.EndedAsync()).Status);
    }

    private static async Task UntilDrainingAsync(ServerUnderTest server)
    {
        while (true)
        {
            await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
            await connection.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\nConnection: close\r\n\r\n");
            if ((await connection.ReadResponseAsync()).Status == 503)
                return;
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }
}
