using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>More connections than the process may have memory for.</summary>
public sealed class MemoryTests
{
    private const long Limit = 256 * 1024 * 1024;

    private static readonly int Connections = Effort.Of(13_000, 20_000);

    /// <summary>A process may have 20,000 descriptors in many places, this one too, beside what other tests need: who is admitted beyond these leaves again.</summary>
    private static readonly int Kept = Effort.Of(12_000, 18_500);

    private static readonly byte[] _request = new UpgradeRequest().ToBytes();

    /// <param name="octets">Of a message that each begins and does not end; so many that not all of them fit.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(16_000)]
    public async Task A_server_short_of_memory_refuses_and_lives(int octets)
    {
        using MemoryGroup? group = MemoryGroup.TryCreate(Limit);
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Prefix = group?.Prefix ?? [],
            // Where no group can be made, the heap at least is limited: the number is hexadecimal.
            Environment = group is null ? [("DOTNET_GCHeapHardLimit", $"{Limit:x}")] : [],
            // What clients have it hold is not bounded here, or memory would not run short.
            Settings = ["--max_connections=19500", "--log_rate=1", "--max_buffered=1099511627776"],
            First = WarmUpAsync,
        });
        byte[] start = octets == 0 ? [] : ClientFrame.Text(new string('x', octets + 1))[..octets];
        int next = -1, refused = 0;
        ConcurrentBag<Socket> kept = [];
        await Task.WhenAll(Enumerable.Range(0, Effort.Of(4, 16)).Select(async _ =>
        {
            int i;
            while ((i = Interlocked.Increment(ref next)) < Connections)
            {
                Socket socket = await ConnectAsync(trial, i);
                if (await IsAdmittedAsync(socket) && kept.Count < Kept)
                {
                    kept.Add(socket);
                    await socket.SendAsync(start);
                    continue;
                }
                Interlocked.Increment(ref refused);
                socket.Dispose();
            }
        }));
        int admitted = kept.Count;
        await trial.ExpectHealthAsync();
        if (octets > 0)
        {
            Assert.True(refused > 1000, $"{refused} refused.");
            await using RawConnection newcomer = await trial.ConnectAsync();
            await newcomer.SendAsync(_request);
            HttpResponse answer = await newcomer.ReadResponseAsync();
            Assert.Equal(503, answer.Status);
            answer.AssertTryLater();
            answer = await AskHowItIsAsync(trial);
            Assert.Equal(200, answer.Status);
            Assert.Contains("\"memory\":\"warning\"", answer.Body, StringComparison.Ordinal);
        }
        foreach (Socket socket in kept)
            socket.Close(0);
        Stopwatch waited = Stopwatch.StartNew();
        while (!await TakesAgainAsync(trial))
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(30), "The memory of those who left is not found.");
        Latencies latencies = await trial.ConcludeAsync();
        Assert.Equal(0, group?.Kills ?? 0);
        string most = group?.Peak is { } peak ? string.Create(CultureInfo.InvariantCulture, $"{peak / 1048576} MB of 256") : "not measured";
        Figures.Add($"memory limit of 256 MB ({(group is null ? "heap" : "control group")}), {Connections:N0} connections, {octets:N0} octets of a message from each",
            $"{admitted:N0} kept, {refused:N0} refused or let go, peak {most}, canary {latencies}");
    }

    /// <summary>A small crowd, and what is asked of the server in the test: whatever they have it compile and load does not count.</summary>
    private static async Task WarmUpAsync(Trial trial)
    {
        List<Socket> crowd = [];
        for (int i = 0; i < 2000; i++)
        {
            crowd.Add(await ConnectAsync(trial, i));
            Assert.True(await IsAdmittedAsync(crowd[i]));
        }
        foreach (Socket socket in crowd)
            socket.Close(0);
        await AskHowItIsAsync(trial);
        await trial.ExpectNobodyAsync();
    }

    private static async Task<HttpResponse> AskHowItIsAsync(Trial trial)
    {
        await using RawConnection connection = await trial.ConnectAsync();
        await connection.SendAsync("GET /__heartbeat__ HTTP/1.1\r\nHost: channel.example\r\nConnection: close\r\n\r\n");
        return await connection.ReadResponseAsync();
    }

    private static async Task<bool> IsAdmittedAsync(Socket socket)
    {
        byte[] answer = new byte[12];
        await socket.SendAsync(_request);
        int read = await socket.ReceiveAsync(answer);
        string status = Encoding.ASCII.GetString(answer, 0, read);
        Assert.True(status is "HTTP/1.1 101" or "HTTP/1.1 503", $"\"{status}\"");
        return status[^1] == '1';
    }

    private static async Task<bool> TakesAgainAsync(Trial trial)
    {
        await Task.Delay(100);
        using Socket socket = await ConnectAsync(trial, 1);
        return await IsAdmittedAsync(socket);
    }

    private static async Task<Socket> ConnectAsync(Trial trial, int i)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        // An address has 28,000 ports.
        socket.Bind(new IPEndPoint(new IPAddress([127, 0, 9, (byte)(1 + (i % 100))]), 0));
        await socket.ConnectAsync(trial.Server.Address);
        return socket;
    }
}
