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

    private const string Admitted = "HTTP/1.1 101";

    private static readonly byte[] _request = new UpgradeRequest().ToBytes();

    private static readonly byte[] _leave = ClientFrame.Close(1000);

    /// <param name="octets">Of a message that each sends while nobody is there to hear it; so many that not all of them fit.</param>
    [Theory]
    [InlineData(0)]
    [InlineData(16_000)]
    public async Task A_server_short_of_memory_refuses_and_lives(int octets)
    {
        using MemoryGroup? group = MemoryGroup.TryCreate(Limit);
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Prefix = group?.Prefix ?? [],
            // Where no group can be made, the heap at least is limited, to what it may have of a group: the number is hexadecimal.
            Environment = group is null ? [("DOTNET_GCHeapHardLimit", $"{Limit * 3 / 4:x}")] : [],
            // What clients have it hold is not bounded here, or memory would not run short; and all of them stay, however slow the machine.
            Settings = ["--max_connections=19500", "--log_rate=1", "--max_buffered=1099511627776", "--client_timeout=600"],
            First = WarmUpAsync,
        });
        (int admitted, int refused) = await CrowdAsync(trial, octets == 0 ? [] : ClientFrame.Text(new string('x', octets)));
        Stopwatch waited = Stopwatch.StartNew();
        while (!await TakesAgainAsync(trial))
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(30), "The memory of those who left is not found.");
        Latencies latencies = await trial.ConcludeAsync();
        Assert.Equal(0, group?.Kills ?? 0);
        string most = group?.Peak is { } peak ? string.Create(CultureInfo.InvariantCulture, $"{peak / 1048576} MB of 256") : "not measured";
        Figures.Add($"memory limit of 256 MB ({(group is null ? "heap" : "control group")}), {Connections:N0} connections, each with a message of {octets:N0} octets to nobody",
            $"{admitted:N0} kept, {refused:N0} refused or let go, peak {most}, canary {latencies}");
    }

    /// <summary>Lets a crowd in, as far as it is, and away again.</summary>
    /// <param name="trial">Where.</param>
    /// <param name="message">What each sends; nothing for those for whom there is memory.</param>
    private static async Task<(int Admitted, int Refused)> CrowdAsync(Trial trial, byte[] message)
    {
        using Crowd crowd = await Crowd.GatherAsync();
        int next = -1, refused = 0, cut = 0;
        ConcurrentBag<Socket> kept = [];
        await Task.WhenAll(Enumerable.Range(0, Effort.Of(4, 16)).Select(async _ =>
        {
            int i;
            while ((i = Interlocked.Increment(ref next)) < Connections)
            {
                Socket socket = await ConnectAsync(trial, i);
                string status = await AskAsync(socket);
                if (status == Admitted && kept.Count < Kept)
                {
                    kept.Add(socket);
                    await socket.SendAsync(message);
                    continue;
                }
                Interlocked.Increment(ref refused);
                if (status.Length == 0)
                    Interlocked.Increment(ref cut);
                socket.Dispose();
            }
        }));
        int admitted = kept.Count;
        Assert.True(cut < Connections / 20, $"{cut} got no answer.");
        await trial.ExpectHealthAsync();
        if (message.Length > 0)
            await ExpectShortAsync(trial, message);
        await Parallel.ForEachAsync(kept, async (socket, _) => await LeaveAsync(socket));
        return (admitted, refused);
    }

    /// <summary>
    /// Expects that who comes is refused, and that the server says why. A collection may find memory at any time, and then there is room for some:
    /// so others come, and stay, until it is so.
    /// </summary>
    private static async Task ExpectShortAsync(Trial trial, byte[] message)
    {
        List<RawConnection> newcomers = [];
        bool isShort = false;
        while (!isShort)
        {
            RawConnection newcomer = await trial.ConnectAsync();
            newcomers.Add(newcomer);
            Assert.True(newcomers.Count * message.Length < Limit / 4, "The server does not run short of memory.");
            await newcomer.SendAsync(_request);
            HttpResponse answer = await newcomer.ReadResponseAsync();
            if (answer.Status == 101)
            {
                await newcomer.SendAsync(message);
                continue;
            }
            Assert.Equal(503, answer.Status);
            answer.AssertTryLater();
            answer = await AskHowItIsAsync(trial);
            Assert.Equal(200, answer.Status);
            isShort = answer.Body.Contains("\"memory\":\"warning\"", StringComparison.Ordinal);
        }
        foreach (RawConnection newcomer in newcomers)
            await newcomer.DisposeAsync();
    }

    /// <summary>A small crowd, and what is asked of the server in the test: whatever they have it compile and load does not count.</summary>
    private static async Task WarmUpAsync(Trial trial)
    {
        using Crowd crowd = await Crowd.GatherAsync();
        List<Socket> sockets = [];
        for (int i = 0; i < 2000; i++)
        {
            sockets.Add(await ConnectAsync(trial, i));
            Assert.Equal(Admitted, await AskAsync(sockets[i]));
        }
        foreach (Socket socket in sockets)
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

    /// <summary>The status line as far as the status; nothing from one who was cut.</summary>
    private static async Task<string> AskAsync(Socket socket)
    {
        byte[] answer = new byte[12];
        string status;
        try
        {
            await socket.SendAsync(_request);
            status = Encoding.ASCII.GetString(answer, 0, await socket.ReceiveAsync(answer));
        }
        catch (SocketException)
        {
            status = "";
        }
        // Where memory is short, who has been silent for a second is cut: on a busy machine somebody who was about to ask.
        Assert.True(status is Admitted or "HTTP/1.1 503" or "", $"\"{status}\"");
        return status;
    }

    /// <summary>Leaves as one should: of who is lost, the seat is held, and the messages with it.</summary>
    private static async ValueTask LeaveAsync(Socket socket)
    {
        byte[] rest = new byte[1024];
        using CancellationTokenSource deadline = new(RawConnection.Patience);
        await socket.SendAsync(_leave);
        while (await socket.ReceiveAsync(rest, deadline.Token) > 0)
        {
        }
        socket.Dispose();
    }

    private static async Task<bool> TakesAgainAsync(Trial trial)
    {
        await Task.Delay(100);
        using Socket socket = await ConnectAsync(trial, 1);
        return await AskAsync(socket) == Admitted;
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
