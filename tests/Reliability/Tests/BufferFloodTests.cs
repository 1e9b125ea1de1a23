using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Clients that are let in one by one, and then have the server hold as much as it will, all at once.</summary>
public sealed class BufferFloodTests
{
    private static readonly int Clients = Effort.Of(5_000, 15_000);

    private static readonly byte[] _request = new UpgradeRequest().ToBytes();

    private static readonly byte[][] _messages = [.. Enumerable.Repeat(ClientFrame.Text(new string('x', 15_000)), 4)];

    [Fact]
    public Task Messages_that_do_not_come_to_their_end() => FloodAsync("begins a message of 60 kB", [ClientFrame.Text(new string('x', 60_001))[..60_000]]);

    [Fact]
    public Task Messages_that_nobody_is_there_to_hear() => FloodAsync("sends 4 messages of 15 kB to nobody", _messages);

    /// <remarks>A connection of Kestrel's takes as much as such a head, even if it says nothing.</remarks>
    [Fact]
    public Task Request_heads_that_do_not_end() => FloodAsync(
        "begins a request of 8 kB", [Encoding.ASCII.GetBytes($"GET /v1/ws/ HTTP/1.1\r\nX: {new string('x', 8000)}")], upgrades: false,
        megabytes: Effort.Engine == "kestrel" ? 256 : 128);

    /// <remarks>They have lost their connections: what was kept in their channels stays for as long as their seats are held, and no longer.</remarks>
    [Fact]
    public async Task What_is_kept_for_lost_clients_goes_with_their_seats()
    {
        // Later than what their connections have left behind is given back.
        const int window = 35;
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Settings = ["--max_connections=19500", "--log_rate=1", $"--resume_window={window}"],
            // It would go too, which is another reason to collect.
            HasCanary = false,
            First = warm => FloodAsync(warm, 10, _messages, upgrades: true),
        });
        await FloodAsync(trial, 1500, _messages, upgrades: true);
        await Effort.UntilAsync(() => trial.Statsd.HeldSeats > 1000, TimeSpan.FromSeconds(20), () => trial.Statsd.ToString());
        long held = ProcessStatus.ResidentKilobytes(trial.Process.Id);
        Assert.True(held > trial.ResidentBefore * 1.5, $"{held} kB resident, {trial.ResidentBefore} kB before.");
        await Effort.UntilAsync(() => trial.Statsd.HeldSeats == 0, TimeSpan.FromSeconds(window + 20), () => trial.Statsd.ToString());
        await trial.ConcludeAsync();
    }

    private static async Task FloodAsync(string what, byte[][] flood, bool upgrades = true, int megabytes = 256)
    {
        long limit = megabytes * 1024L * 1024L;
        using MemoryGroup? group = MemoryGroup.TryCreate(limit);
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Prefix = group?.Prefix ?? [],
            Environment = group is null ? [("DOTNET_GCHeapHardLimit", $"{limit:x}")] : [],
            Settings = ["--max_connections=19500", "--log_rate=1"],
            // What the server compiles and loads for a flood does not count; what it keeps for the next one does.
            First = async warm =>
            {
                await FloodAsync(warm, 1000, flood, upgrades);
                long collections = await warm.Process.FullCollectionsAsync();
                await warm.ExpectNobodyAsync();
                await warm.ExpectBuffersBackAsync(collections);
            },
        });
        (int admitted, int ended) = await FloodAsync(trial, Clients, flood, upgrades);
        // A connection of Kestrel's costs so much that only so many are let in as there is memory for.
        Assert.InRange(admitted, upgrades && Effort.Engine == "kestrel" ? 3_800 : Clients, Clients);
        Latencies latencies = await trial.ConcludeAsync();
        Assert.Equal(0, group?.Kills ?? 0);
        string most = group?.Peak is { } peak ? string.Create(CultureInfo.InvariantCulture, $"{peak / 1048576} MB") : "not measured";
        Figures.Add($"memory limit of {megabytes} MB ({(group is null ? "heap" : "control group")}), {Clients:N0} clients, each {what} at once",
            $"{admitted:N0} let in, {ended:N0} of them ended, peak {most}, canary {latencies}");
    }

    /// <summary>Returns how many of the clients were let in, and how many of those ended; all are gone.</summary>
    private static async Task<(int Admitted, int Ended)> FloodAsync(Trial trial, int count, byte[][] flood, bool upgrades)
    {
        using Crowd crowd = await Crowd.GatherAsync();
        ConcurrentBag<Socket> clients = [], admitted = [];
        await ForEachAsync(Enumerable.Range(0, count), async i =>
        {
            Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            clients.Add(socket);
            // An address has 28,000 ports, and a bound on what it may open.
            socket.Bind(new IPEndPoint(new IPAddress([127, 0, 8, (byte)(1 + (i % 100))]), 0));
            await socket.ConnectAsync(trial.Server.Address);
            if (!upgrades || await IsAdmittedAsync(socket))
                admitted.Add(socket);
        });
        // All at once: nobody waits for what becomes of another.
        await ForEachAsync(admitted, async socket =>
        {
            try
            {
                foreach (byte[] part in flood)
                    await socket.SendAsync(part);
            }
            catch (SocketException)
            {
                // Its end may have come before it was through.
            }
        });
        int ended = 0;
        await ForEachAsync(admitted, async socket =>
        {
            if (await HasEndedAsync(socket))
                Interlocked.Increment(ref ended);
        });
        await trial.ExpectHealthAsync();
        foreach (Socket socket in clients)
            socket.Close(0);
        return (admitted.Count, ended);
    }

    private static async Task<bool> IsAdmittedAsync(Socket socket)
    {
        await socket.SendAsync(_request);
        byte[] answer = new byte[12];
        await socket.ReceiveAsync(answer);
        string status = Encoding.ASCII.GetString(answer);
        bool isAdmitted = status == "HTTP/1.1 101";
        Assert.True(isAdmitted || (Effort.Engine == "kestrel" && status == "HTTP/1.1 503"), status);
        return isAdmitted;
    }

    private static Task ForEachAsync<T>(IEnumerable<T> items, Func<T, Task> act) => Parallel.ForEachAsync(
        items, new ParallelOptions { MaxDegreeOfParallelism = Effort.Of(4, 16) }, async (item, _) => await act(item));

    /// <summary>Whether the server has closed, or does within a moment.</summary>
    private static async Task<bool> HasEndedAsync(Socket socket)
    {
        byte[] octets = new byte[4096];
        try
        {
            using CancellationTokenSource moment = new(TimeSpan.FromMilliseconds(5));
            while (await socket.ReceiveAsync(octets, moment.Token) > 0)
            {
            }
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (SocketException)
        {
            return true;
        }
    }
}
