using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>More connections than the process may have descriptors.</summary>
public sealed class DescriptorTests
{
    [Fact]
    public async Task A_server_out_of_descriptors_keeps_its_sessions_and_recovers()
    {
        Effort.Require(File.Exists("/usr/bin/prlimit"), "prlimit");
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Prefix = ["prlimit", "--nofile=512"],
            // On a busy machine the first would time out before the last have come, and their places be taken again.
            Settings = ["--client_timeout=600"],
            SlackDescriptors = 16,
            ExpectedErrors = ["AcceptFailed"],
        });
        List<Socket> sockets = [];
        List<string> answers = [];
        for (int i = 0; i < 2000; i++)
        {
            Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            sockets.Add(socket);
            await socket.ConnectAsync(trial.Server.Address);
            // Some want a channel, some are silent; some are only in the kernel's queue.
            if (i % 2 == 0)
                await socket.SendAsync(new UpgradeRequest().ToBytes());
        }
        await trial.ExpectHealthAsync();
        // Whoever asked is told, or let go.
        await Effort.UntilAsync(
            () => sockets.Where(static (_, i) => i % 2 == 0).All(static socket => socket.Poll(0, SelectMode.SelectRead)), TimeSpan.FromSeconds(Effort.Of(30, 2)),
            () => $"{sockets.Where(static (_, i) => i % 2 == 0).Count(static socket => !socket.Poll(0, SelectMode.SelectRead))} hear nothing.");
        foreach (Socket socket in sockets)
        {
            byte[] answer = new byte[12];
            if (socket.Available >= answer.Length && socket.Receive(answer) == answer.Length)
                answers.Add(Encoding.ASCII.GetString(answer));
            socket.Close(0);
        }
        Assert.All(answers, answer => Assert.True(answer is "HTTP/1.1 101" or "HTTP/1.1 503", answer));
        int upgraded = answers.Count(answer => answer.EndsWith('1'));
        int refused = answers.Count(answer => answer.EndsWith('3'));
        // 80 % of the descriptors at the most; everybody else who asked was told. On Kestrel's threads some may be taken for silent who
        // have just asked.
        Assert.InRange(upgraded, 200, 409);
        Assert.InRange(refused, (Effort.Engine == "kestrel" ? Effort.Of(800, 950) : 950) - upgraded, 1000 - upgraded);
        Stopwatch waited = Stopwatch.StartNew();
        await trial.ExpectHealthAsync();
        await using (ChannelClient newcomer = await trial.OpenAsync())
            await newcomer.LeaveAsync();
        TimeSpan recovered = waited.Elapsed;
        Assert.True(recovered < TimeSpan.FromSeconds(Effort.IsFull ? 2 : 8), $"Recovered after {recovered}.");
        Latencies latencies = await trial.ConcludeAsync();
        Figures.Add("512 descriptors, 2,000 connections", $"{upgraded} upgraded, {refused} told 503, recovered {recovered.TotalSeconds:0.00} s after, canary {latencies}");
    }

    /// <summary>Each shard accepts for itself, and all places may be those of silent connections of another.</summary>
    [Fact]
    public async Task A_shard_that_has_nobody_to_give_up_still_hears_who_comes()
    {
        Effort.Require(File.Exists("/usr/bin/prlimit"), "prlimit");
        Effort.Require(Effort.Engine != "kestrel", "one listener accepts for all shards");
        List<EndPoint>[] ports = [[], []];
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Prefix = ["prlimit", "--nofile=512"],
            Settings = ["--shards=2"],
            SlackDescriptors = 16,
            First = warm => FindPortsAsync(warm, shards: 2, ports),
        });
        List<Socket> silent = [];
        foreach (EndPoint port in ports[0])
            silent.Add(await ConnectAsync(trial, port));
        await AllAcceptedAsync(trial, shards: 2);
        Stopwatch waited = Stopwatch.StartNew();
        foreach (EndPoint port in ports[1])
        {
            using Socket socket = await ConnectAsync(trial, port);
            await socket.SendAsync(Trial.HealthRequest);
            await ExpectAnswerAsync(socket);
        }
        TimeSpan heard = waited.Elapsed;
        // Those who are silent would be cut after 10 s.
        Assert.True(heard < TimeSpan.FromSeconds(Effort.Of(8, 2)), $"Heard after {heard}.");
        foreach (Socket socket in silent)
            socket.Close(0);
        Latencies latencies = await trial.ConcludeAsync();
        Figures.Add("512 descriptors, silent connections of one of two shards at all of them", $"16 clients of the other answered within {heard.TotalSeconds:0.00} s, canary {latencies}");
    }

    /// <summary>A shard that has one place at its door, and all else is taken: who has it is heard before it is given to the next.</summary>
    [Fact]
    public async Task Who_has_asked_is_heard_before_somebody_is_accepted_in_his_place()
    {
        const int Shards = 24;
        Effort.Require(File.Exists("/usr/bin/prlimit"), "prlimit");
        Effort.Require(Effort.Engine != "kestrel", "one listener accepts for all shards");
        List<EndPoint>[] ports = [[], []];
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Prefix = ["prlimit", "--nofile=512"],
            Settings = [$"--shards={Shards}"],
            SlackDescriptors = 16,
            First = warm => FindPortsAsync(warm, Shards, ports),
        });
        List<Socket> silent = [];
        foreach (EndPoint port in ports[0])
            silent.Add(await ConnectAsync(trial, port));
        await AllAcceptedAsync(trial, Shards);
        for (int i = 0; i + 1 < ports[1].Count; i += 2)
        {
            using Socket first = await ConnectAsync(trial, ports[1][i]);
            await AllAcceptedAsync(trial, Shards);
            // The shard finds both at once, and the one who comes before the one who asks.
            await trial.Process.PauseAsync();
            using Socket second = await ConnectAsync(trial, ports[1][i + 1]);
            await first.SendAsync(Trial.HealthRequest);
            trial.Process.Continue();
            await ExpectAnswerAsync(first);
            await second.SendAsync(Trial.HealthRequest);
            await ExpectAnswerAsync(second);
        }
        foreach (Socket socket in silent)
            socket.Close(0);
        await trial.ConcludeAsync();
    }

    private static async Task ExpectAnswerAsync(Socket socket)
    {
        byte[] answer = new byte[12];
        using CancellationTokenSource deadline = new(RawConnection.Patience);
        await socket.ReceiveAsync(answer, deadline.Token);
        Assert.Equal("HTTP/1.1 200", Encoding.ASCII.GetString(answer));
    }

    /// <summary>Finds ports of clients for the second of some shards, and for others: the kernel chooses by them, and while nobody accepts, the queues tell what it chose.</summary>
    /// <param name="trial">Where.</param>
    /// <param name="shards">How many there are.</param>
    /// <param name="ports">Of others, more than there are places; and of the second.</param>
    private static async Task FindPortsAsync(Trial trial, int shards, List<EndPoint>[] ports)
    {
        List<Socket> sockets = [];
        await trial.Process.PauseAsync();
        int before = AcceptQueues(trial, shards)[1];
        while (ports[0].Count < 400 || ports[1].Count < 16)
        {
            sockets.Add(await ConnectAsync(trial, new IPEndPoint(IPAddress.Parse("127.0.47.1"), 0)));
            int after = AcceptQueues(trial, shards)[1];
            ports[after > before ? 1 : 0].Add(sockets[^1].LocalEndPoint!);
            before = after;
        }
        trial.Process.Continue();
        foreach (Socket socket in sockets)
            socket.Close(0);
        await trial.ExpectHealthAsync();
    }

    private static Task AllAcceptedAsync(Trial trial, int shards) =>
        Effort.UntilAsync(() => AcceptQueues(trial, shards).Sum() == 0, TimeSpan.FromSeconds(8), () => "Some are not accepted.");

    private static int[] AcceptQueues(Trial trial, int shards) => ProcessStatus.AcceptQueues(trial.Process.Id, trial.Server.Address.Port, shards);

    private static async Task<Socket> ConnectAsync(Trial trial, EndPoint from)
    {
        Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(from);
        await socket.ConnectAsync(trial.Server.Address);
        return socket;
    }

    /// <summary>Somebody lowers the limit of the running process, so that its own bound, which it took from the limit, does not keep it from the end.</summary>
    /// <remarks>
    /// Kestrel's engine cannot live there: the runtime takes a descriptor for each thread that it adds to its pool, and ends the process when there is
    /// none. There the bound at 80 % is all that protects, as the test above shows.
    /// </remarks>
    [Fact]
    public async Task Accepting_rests_while_there_is_no_descriptor_and_goes_on_as_soon_as_there_is()
    {
        Effort.Require(File.Exists("/usr/bin/prlimit"), "prlimit");
        Effort.Require(Effort.Engine != "kestrel", "the runtime's thread pool ends the process when it has no descriptor for a thread");
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Settings = ["--client_timeout=600"],
            ExpectedErrors = ["AcceptFailed"],
            SlackDescriptors = 16,
            IsCalm = true,
        });
        string before = ProcessStatus.DescriptorLimit(trial.Process.Id);
        Stopwatch exhausted = Stopwatch.StartNew();
        await LimitAsync(trial, ProcessStatus.LowestFreeDescriptor(trial.Process.Id).ToString(CultureInfo.InvariantCulture));
        List<RawConnection> waiting = [];
        // The kernel takes them; for as many shards as there are, or one listener, some wait at each.
        for (int i = 0; i < 40; i++)
        {
            waiting.Add(await trial.ConnectAsync());
            await waiting[i].SendAsync(new UpgradeRequest().ToBytes());
        }
        await Effort.UntilAsync(() => Complaints(trial) > 0, TimeSpan.FromSeconds(20), () => $"Nothing in the log. {trial.Process.Tell()}");
        // The first fault has compiled what it needs; from here on nothing but the tries is left, and the canary.
        await Task.Delay(500, TestContext.Current.CancellationToken);
        TimeSpan cpu = ProcessStatus.Cpu(trial.Process.Id);
        Stopwatch watched = Stopwatch.StartNew();
        await Task.Delay(Effort.Of(3000, 12_000), TestContext.Current.CancellationToken);
        double share = (ProcessStatus.Cpu(trial.Process.Id) - cpu) / watched.Elapsed;
        Assert.True(share < 0.2, $"{share:P0} of a core while nothing can be accepted.");

        await LimitAsync(trial, before);
        Stopwatch waited = Stopwatch.StartNew();
        foreach (RawConnection connection in waiting)
            Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
        TimeSpan recovered = waited.Elapsed;
        Assert.True(recovered < TimeSpan.FromSeconds(Effort.IsFull ? 2 : 8), $"Recovered after {recovered}.");
        await trial.ExpectHealthAsync();
        await using (ChannelClient newcomer = await trial.OpenAsync())
            await newcomer.LeaveAsync();
        foreach (RawConnection connection in waiting)
            connection.Reset();
        Assert.InRange(Complaints(trial), 1, 1 + (int)(exhausted.Elapsed.TotalSeconds / 10));
        Assert.All(
            trial.Process.Log.Lines.Where(line => line.Contains(Complaint, StringComparison.Ordinal)),
            line => Assert.Matches("\"msg\":\"[^\"]*ulimit -n, LimitNOFILE", line));
        Latencies latencies = await trial.ConcludeAsync();
        Figures.Add("no descriptor left, 40 connections waiting", $"{share:P1} of a core, all 101 {recovered.TotalSeconds:0.00} s after there are some, canary {latencies}");
    }

    private const string Complaint = "\"event\":\"AcceptFailed\"";

    private static int Complaints(Trial trial) => trial.Process.Log.Lines.Count(line => line.Contains(Complaint, StringComparison.Ordinal));

    /// <summary>Sets the soft limit, which is the one that counts; the hard one stays.</summary>
    private static async Task LimitAsync(Trial trial, string descriptors)
    {
        using Process prlimit = Process.Start("prlimit", [$"--pid={trial.Process.Id}", $"--nofile={descriptors}:"]);
        await prlimit.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, prlimit.ExitCode);
    }
}
