using System.Net;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Connections opened and closed in every way: descriptors, sessions and memory return.</summary>
public sealed class ChurnTests
{
    private const int Workers = 8;

    private const string Unknown = "/v1/ws/AAAAAAAAAAAAAAAAAAAAAA";

    /// <summary>Every way in which a connection can end, each with what it does before.</summary>
    private static readonly (string Name, Func<Trial, IPAddress, Task> Live)[] _lives =
    [
        ("connect and close", async (trial, from) => await (await trial.ConnectAsync(from)).DisposeAsync()),
        ("connect and reset", async (trial, from) => (await trial.ConnectAsync(from)).Reset()),
        ("half a head and reset", (trial, from) => SendAndResetAsync(trial, from, "GET /v1/ws/ HTTP/1.1\r\nHost: a\r\n")),
        ("a head and reset at once", (trial, from) => SendAndResetAsync(trial, from, new UpgradeRequest().ToString())),
        ("an error answer", (trial, from) => AskAsync(trial, from, "GET /v1/ws/ HTTP/1.1\r\nHost: a\r\n\r\n", 426)),
        ("a bad request", (trial, from) => AskAsync(trial, from, "GET /v1/ws/ HTTP/1.1\r\n\r\n", 400)),
        ("health", (trial, from) => AskAsync(trial, from, "GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200)),
        ("health, kept alive and reset", (trial, from) => AskAsync(trial, from, "GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n", 200)),
        ("no such path", (trial, from) => AskAsync(trial, from, "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404)),
        ("a session that resets", (trial, from) => SitAsync(trial, from)),
        ("a session that half-closes", (trial, from) => SitAsync(trial, from, halfCloses: true)),
        ("a session in the middle of a frame", (trial, from) => SitAsync(trial, from, ClientFrame.Text("half a frame")[..9])),
        ("a session in the middle of a message", (trial, from) => SitAsync(trial, from, ClientFrame.Fragments(new string('x', 5000), "y")[0])),
        ("a close that is not awaited", (trial, from) => SitAsync(trial, from, ClientFrame.Close(1000))),
        ("a protocol error", (trial, from) => SitAsync(trial, from, ClientFrame.Unmasked(Frame.Text, "x"u8))),
        ("a binary message, half-closed", (trial, from) => SitAsync(trial, from, ClientFrame.Binary([1]), halfCloses: true)),
        ("a whole pairing", PairAsync),
    ];

    [Fact]
    public async Task Whatever_way_connections_end_everything_is_given_back()
    {
        int connections = Effort.Of(20_000, 100_000);
        await using Trial trial = await Trial.StartAsync(new TrialOptions { First = WarmUpAsync });
        int shortly = connections * 3 / 10;
        await LiveAsync(trial, 0, shortly);
        // Seats are held for seconds.
        await trial.ExpectNobodyAsync();
        await trial.Process.CollectAsync();
        long before = ProcessStatus.ResidentKilobytes(trial.Process.Id);
        TimeSpan cpu = ProcessStatus.Cpu(trial.Process.Id);
        await LiveAsync(trial, shortly, connections - shortly);
        cpu = ProcessStatus.Cpu(trial.Process.Id) - cpu;
        await trial.ExpectNobodyAsync();
        await trial.Process.CollectAsync();
        long after = ProcessStatus.ResidentKilobytes(trial.Process.Id);

        // 150 octets leaked by each of the connections would be more than this in the full run.
        Assert.True(after < before * 1.15, $"{before} kB resident after {shortly} connections, {after} kB after {connections}.");
        Latencies latencies = await trial.ConcludeAsync();
        Figures.Add($"{connections:N0} connections, closed in {_lives.Length} ways",
            $"RSS {before / 1024.0:0.0} to {after / 1024.0:0.0} MB, {cpu.TotalMicroseconds / (connections - shortly):0} us of CPU each, canary {latencies}");
    }

    [Fact]
    public async Task Refused_joins_and_short_visits_leave_nothing_behind()
    {
        int visits = Effort.Of(5_000, 100_000);
        await using Trial trial = await Trial.StartAsync(new TrialOptions { First = WarmUpAsync });
        await RunAsync(visits, (_, from) => RefuseAsync(trial, from));
        await RunAsync(visits, (_, from) => SitAsync(trial, from, ClientFrame.Close(1000)));
        await trial.ConcludeAsync();
        Assert.True(trial.Statsd.RefusedBy("channel_unavailable") >= visits, trial.Statsd.ToString());
        Figures.Add($"{visits:N0} joins of unknown ids, {visits:N0} short visits", $"RSS {trial.ResidentBefore / 1024.0:0.0} to {trial.ResidentAfter / 1024.0:0.0} MB");
    }

    /// <summary>Has the server compile for good what it runs so often.</summary>
    private static async Task WarmUpAsync(Trial trial)
    {
        await trial.CompileAsync(async () =>
        {
            await LiveAsync(trial, 0, 100 * _lives.Length);
            await RunAsync(100, (_, from) => RefuseAsync(trial, from));
        });
        await trial.ExpectNobodyAsync();
    }

    private static Task LiveAsync(Trial trial, int first, int count) =>
        RunAsync(count, (i, from) => _lives[(first + i) % _lives.Length].Live(trial, from));

    /// <summary>Runs lives, some at a time, from many addresses of the loopback network, whose ports would else run out.</summary>
    private static Task RunAsync(int count, Func<int, IPAddress, Task> live)
    {
        int next = -1;
        return Task.WhenAll(Enumerable.Range(0, Workers).Select(async _ =>
        {
            int i;
            while ((i = Interlocked.Increment(ref next)) < count)
                await live(i, new IPAddress([127, 0, (byte)(2 + (i / 5000 % 200)), (byte)(1 + (i % 200))]));
        }));
    }

    private static async Task SendAndResetAsync(Trial trial, IPAddress from, string text)
    {
        RawConnection connection = await trial.ConnectAsync(from);
        await connection.SendAsync(text);
        connection.Reset();
    }

    private static async Task AskAsync(Trial trial, IPAddress from, string request, int status)
    {
        RawConnection connection = await trial.ConnectAsync(from);
        await connection.SendAsync(request);
        Assert.Equal(status, (await connection.ReadResponseAsync()).Status);
        connection.Reset();
    }

    private static async Task RefuseAsync(Trial trial, IPAddress from)
    {
        ChannelClient client = await trial.UpgradeAsync(Unknown, from);
        Golden.AssertFrame("close-4404", await client.ReadFrameAsync());
        client.Connection.Reset();
    }

    private static async Task SitAsync(Trial trial, IPAddress from, byte[]? bytes = null, bool halfCloses = false)
    {
        ChannelClient client = await trial.OpenAsync(from);
        if (bytes is not null)
            await client.SendAsync(bytes);
        if (halfCloses)
        {
            client.Connection.HalfClose();
            await client.Connection.ReadToEndAsync(RawConnection.Patience);
        }
        client.Connection.Reset();
    }

    private static async Task PairAsync(Trial trial, IPAddress from)
    {
        ChannelClient first = await trial.OpenAsync(from);
        ChannelClient second = await trial.JoinAsync(first.ChannelId, from);
        await first.SendTextAsync("ping");
        await second.ExpectMessagesAsync("ping");
        await second.SendTextAsync("pong");
        await first.ExpectMessagesAsync("pong");
        foreach (ChannelClient client in (ChannelClient[])[first, second])
        {
            await client.SendAsync(ClientFrame.Close(1000));
            Golden.AssertFrame("close-1000", await client.ReadFrameAsync());
            client.Connection.Reset();
        }
    }
}
