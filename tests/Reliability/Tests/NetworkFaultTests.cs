using System.Diagnostics;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Networks that lose packets, in namespaces of the test's own.</summary>
public sealed class NetworkFaultTests
{
    [Fact]
    public async Task Half_open_connections_are_gone_within_client_timeout_and_heartbeat()
    {
        const int Clients = 500;
        // The canary must not be late itself, on a busy machine.
        int timeout = Effort.Of(8, 4), heartbeat = Effort.Of(2, 1);
        using NetworkPair network = NetworkPair.Create();
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Network = network,
            Prefix = network.ServerPrefix,
            Settings = [$"--heartbeat={heartbeat}", $"--client_timeout={timeout}"],
            IsCalm = true,
        });
        List<ChannelClient> lost = [];
        for (int i = 0; i < Clients / 2; i++)
        {
            ChannelClient first = await ThroughCableAsync(trial, network, "/v1/ws/");
            ChannelClient second = await ThroughCableAsync(trial, network, $"/v1/ws/{first.ChannelId}");
            // Half of them have messages on the way that nobody will acknowledge.
            if (i % 2 == 0)
                await first.SendTextAsync(new string('x', 20_000));
            lost.AddRange(first, second);
        }
        network.Drop(100);
        Stopwatch waited = Stopwatch.StartNew();
        // Both, and a second until the statistics tell. Those who were lost while others still connected went before.
        await Effort.UntilAsync(
            () => trial.Statsd.EndedBy("client_timeout") + trial.Statsd.EndedBy("slow_consumer") >= Clients,
            TimeSpan.FromSeconds(Effort.IsFull ? 6.5 : 30), () => $"Half-open sessions are left. {trial.Statsd}");
        TimeSpan gone = waited.Elapsed;
        Latencies latencies = await trial.ConcludeAsync();
        foreach (ChannelClient client in lost)
            await client.DisposeAsync();
        Figures.Add($"500 half-open connections, client_timeout {timeout} s, heartbeat {heartbeat} s", $"all gone after {gone.TotalSeconds:0.0} s, canary {latencies}");
    }

    [Theory]
    [InlineData(5, "")]
    [InlineData(0, "64kbit")]
    public async Task Pairings_succeed_on_lossy_and_on_slow_links(int loss, string rate)
    {
        int pairings = Effort.Of(loss > 0 ? 20 : 10, 200);
        using NetworkPair network = NetworkPair.Create();
        await using Trial trial = await Trial.StartAsync(new TrialOptions { Network = network, Prefix = network.ServerPrefix, IsCalm = true });
        if (loss > 0)
            network.Drop(loss);
        else
            network.Slow(rate);
        Stopwatch waited = Stopwatch.StartNew();
        int next = 0;
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) <= pairings)
                await PairAsync(trial, network);
        }));
        TimeSpan took = waited.Elapsed;
        await trial.ConcludeAsync();
        Assert.Equal(0, trial.Statsd.EndedBy("client_timeout") + trial.Statsd.EndedBy("slow_consumer"));
        Figures.Add($"{pairings} pairings, {(loss > 0 ? $"{loss} % loss" : rate)}", $"all succeeded in {took.TotalSeconds:0.0} s");
    }

    private static async Task PairAsync(Trial trial, NetworkPair network)
    {
        await using ChannelClient first = await ThroughCableAsync(trial, network, "/v1/ws/");
        await using ChannelClient second = await ThroughCableAsync(trial, network, $"/v1/ws/{first.ChannelId}");
        for (int i = 0; i < 5; i++)
        {
            string text = $"{i} {new string('x', 300)}";
            await first.SendTextAsync(text);
            await second.ExpectMessagesAsync(text);
            await second.SendTextAsync(text);
            await first.ExpectMessagesAsync(text);
        }
        await second.LeaveAsync();
        await first.LeaveAsync();
    }

    private static async Task<ChannelClient> ThroughCableAsync(Trial trial, NetworkPair network, string target)
    {
        Socket socket = network.NewClientSocket();
        ChannelClient client = await ChannelClient.UpgradeAsync(await RawConnection.OverAsync(socket, trial.Server.Address), target);
        await client.ReadGreetingAsync();
        return client;
    }
}
