using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Reliability.Harness;

/// <summary>
/// A server under stress, and around it the invariants: a canary is relayed in time (I1) and never closed (I2), what was taken is given
/// back (I3), nothing spins (I4), the log stays small and sound (I5), and sessions begun are sessions ended (I6).
/// </summary>
internal sealed class Trial : IAsyncDisposable
{
    /// <summary>Seconds; so short that the end of a trial need not wait long for the seats that are held.</summary>
    private const int ResumeWindow = 10;

    private readonly TrialOptions _options;
    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private Canary? _canary;
    private int _descriptors;
    private long _resident;
    private long _heap;

    private Trial(TrialOptions options, StatsdSink statsd, TestedServer server)
    {
        _options = options;
        Statsd = statsd;
        Process = server;
        Server = new ServerUnderTest(server.Address, null);
    }

    /// <summary>Asks for health, once.</summary>
    public static byte[] HealthRequest => "GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\nConnection: close\r\n\r\n"u8.ToArray();

    public ServerUnderTest Server { get; }

    public TestedServer Process { get; }

    public StatsdSink Statsd { get; }

    /// <summary>Kilobytes resident before the stress began.</summary>
    public long ResidentBefore => _resident;

    /// <summary>Kilobytes resident when all was over.</summary>
    public long ResidentAfter { get; private set; }

    public static Task<Trial> StartAsync(params string[] settings) => StartAsync(new TrialOptions { Settings = settings });

    /// <summary>Starts one in which nothing floods the server.</summary>
    public static Task<Trial> StartCalmAsync(params string[] settings) => StartAsync(new TrialOptions { Settings = settings, IsCalm = true });

    public static async Task<Trial> StartAsync(TrialOptions options)
    {
        StatsdSink statsd = new(options.Network is { } network ? network.NewServerSocket : static (family, type) => new Socket(family, type, ProtocolType.Unspecified));
        string[] target = options.HasStatsd ? [$"--statsd_host=127.0.0.1:{statsd.Port}"] : [];
        string[] settings = [.. target, "--max_exchanges=0", "--conn_lifespan=0", $"--resume_window={ResumeWindow}", .. options.Settings];
        Trial trial = new(options, statsd, TestedServer.Start(options.Network?.ServerAddress ?? IPAddress.Loopback, options, settings));
        try
        {
            await trial.WarmUpAsync();
            return trial;
        }
        catch
        {
            await trial.DisposeAsync();
            throw;
        }
    }

    /// <summary>A new connection to the server, from its own side of the network.</summary>
    public async Task<RawConnection> ConnectAsync(IPAddress? from = null, int? receiveBuffer = null)
    {
        if (_options.Network is not { } network)
            return await RawConnection.ConnectAsync(Server.Address, from, receiveBuffer);
        return await RawConnection.OverAsync(network.NewServerSocket(AddressFamily.InterNetwork, SocketType.Stream), Server.Address);
    }

    public async Task<ChannelClient> UpgradeAsync(string target, IPAddress? from = null, int? receiveBuffer = null, params string[] headers) =>
        await ChannelClient.UpgradeAsync(await ConnectAsync(from, receiveBuffer), target, headers);

    public Task<ChannelClient> OpenAsync(IPAddress? from = null) => EnterAsync("/v1/ws/", from);

    public Task<ChannelClient> JoinAsync(string channelId, IPAddress? from = null) => EnterAsync($"/v1/ws/{channelId}", from);

    /// <summary>Asks for health, and expects it.</summary>
    public async Task ExpectHealthAsync()
    {
        await using RawConnection connection = await ConnectAsync();
        await connection.SendAsync(HealthRequest);
        Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
    }

    /// <summary>Ends the stress and checks every invariant.</summary>
    public async Task<Latencies> ConcludeAsync()
    {
        Assert.False(Process.HasExited, $"The server is gone. {Process.Tell()}");
        long peak = ProcessStatus.PeakKilobytes(Process.Id);
        TimeSpan cpu = ProcessStatus.Cpu(Process.Id);
        TimeSpan elapsed = _elapsed.Elapsed;
        Latencies latencies = _canary is null ? new Latencies([]) : await _canary.StopAsync();
        _canary = null;
        Assert.True(latencies.At(0.99) <= Effort.SlowestCanary(_options.IsCalm), $"I1: {latencies}");

        await Effort.UntilAsync(
            () => ProcessStatus.Descriptors(Process.Id) <= _descriptors + _options.SlackDescriptors, TimeSpan.FromSeconds(30),
            () => $"I3: {ProcessStatus.Descriptors(Process.Id)} descriptors, {_descriptors} before.");
        if (_options.HasStatsd)
        {
            await Effort.UntilAsync(() => Statsd.IsEmpty, TimeSpan.FromSeconds(30), () => $"I3: {Statsd}");
            await Effort.UntilAsync(() => Statsd.Begun == Statsd.Ended, TimeSpan.FromSeconds(30), () => $"I6: {Statsd}");
        }
        if (_options.ExpectsRest)
            await ExpectRestAsync();
        else
            await Process.CollectAsync(); // By itself a server that does not rest keeps what it would take again.
        await ExpectMemoryBackAsync();
        long heap = await ExpectHeapAsync();

        await Process.StopAsync();
        Process.Log.AssertSound(_options.ExpectedErrors, isBounded: !_options.Settings.Contains("--debug=true"));
        Assert.Empty(Process.Errors.Lines);
        TestContext.Current.TestOutputHelper?.WriteLine(FormattableString.Invariant(
            $"{latencies}; resident {_resident / 1024.0:0.0} -> {ResidentAfter / 1024.0:0.0} MB (peak {peak / 1024.0:0.0}); heap {_heap / 1048576.0:0.0} -> {heap / 1048576.0:0.0} MB; CPU {cpu.TotalSeconds:0.00} s in {elapsed.TotalSeconds:0.0} s"));
        return latencies;
    }

    public async ValueTask DisposeAsync()
    {
        if (_canary is not null)
            await _canary.DisposeAsync();
        await Process.DisposeAsync();
        Statsd.Dispose();
    }

    /// <summary>Starts it, lets the code compile that every trial uses, and takes the measures to return to.</summary>
    private async Task WarmUpAsync()
    {
        await StartedAsync();
        for (int i = 0; i < 10; i++)
        {
            await using ChannelClient first = await OpenAsync();
            await using ChannelClient second = await JoinAsync(first.ChannelId);
            await first.SendTextAsync(new string('x', 60_000));
            await second.ReadMessageAsync();
            await second.LeaveAsync();
            await first.LeaveAsync();
            await ExpectHealthAsync();
        }
        await using (ChannelClient refused = await UpgradeAsync("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA"))
            await refused.ExpectCloseAsync("close-4404");
        if (_options.First is { } prepare)
            await prepare(this);
        // And a seat that is held.
        (await OpenAsync()).Connection.Reset();
        int before;
        do
        {
            before = ProcessStatus.Descriptors(Process.Id);
            await Task.Delay(100);
        }
        while (ProcessStatus.Descriptors(Process.Id) != before);
        _descriptors = before;
        _heap = await Process.CollectAsync();
        _resident = ProcessStatus.ResidentKilobytes(Process.Id);
        _elapsed.Restart();
        if (_options.HasCanary)
            _canary = await Canary.StartAsync(this, _options.CanaryMessages);
    }

    private async Task StartedAsync()
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!await AnswersAsync())
        {
            Assert.False(Process.HasExited || waited.Elapsed > TimeSpan.FromSeconds(120), $"The server did not start. {Process.Tell()}");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    private async Task<bool> AnswersAsync()
    {
        using Socket socket = _options.Network?.NewServerSocket(AddressFamily.InterNetwork, SocketType.Stream)
            ?? new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(Server.Address);
            await socket.SendAsync(HealthRequest);
            return await socket.ReceiveAsync(new byte[1]) > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Waits until nobody is there but the canary, and no seat is held.</summary>
    public Task ExpectNobodyAsync() =>
        Effort.UntilAsync(() => Statsd.LiveSessions <= 2 && Statsd.HeldSeats == 0, TimeSpan.FromSeconds(30), () => $"I3: {Statsd}");

    /// <summary>
    /// Repeats what a trial does often until the server compiles hardly anything more for it. Code stays in memory; the runtime compiles what is
    /// used often in steps, and none while anything is used for the first time.
    /// </summary>
    /// <param name="round">So much of it that the runtime takes it for often.</param>
    public async Task CompileAsync(Func<Task> round)
    {
        long before, after = 0;
        do
        {
            before = after;
            await round();
            long last;
            do
            {
                last = await Process.CompiledMethodsAsync();
                await Task.Delay(250);
                after = await Process.CompiledMethodsAsync();
            }
            while (after != last);
        }
        while (after > before * 1.01);
    }

    /// <summary>Waits until the server, which nobody uses any more, has let go of its own accord of the buffers that it keeps for reuse.</summary>
    /// <param name="before">How often its heap had been collected when those who used it had just gone; it may be done before their seats are noticed to be.</param>
    public async Task ExpectBuffersBackAsync(long before)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (await Process.FullCollectionsAsync() == before)
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(30), "I3: nothing is given back within 30 s.");
            await Task.Delay(100);
        }
    }

    /// <summary>I3: the server itself gives back what was taken, unasked.</summary>
    private async Task ExpectMemoryBackAsync()
    {
        long allowed = (long)(_resident * 1.15);
        await Effort.UntilAsync(
            () => ProcessStatus.ResidentKilobytes(Process.Id) <= allowed, TimeSpan.FromSeconds(Effort.Of(60, 30)),
            () => $"I3: {ProcessStatus.ResidentKilobytes(Process.Id)} kB resident, {_resident} kB before.");
        ResidentAfter = ProcessStatus.ResidentKilobytes(Process.Id);
    }

    /// <summary>I3: what lives after a collection. What has just ended may be let go of a moment later.</summary>
    private async Task<long> ExpectHeapAsync()
    {
        long heap = 0;
        long allowed = _heap + (TrialOptions.HeapSlackMegabytes * 1048576L);
        for (int i = 0; i < 30; i++)
        {
            heap = await Process.CollectAsync();
            if (heap <= allowed)
                return heap;
            await Task.Delay(1000);
        }
        throw new InvalidOperationException($"I3: {heap} octets live on the heap, {_heap} before.");
    }

    /// <summary>I4: within five seconds there is a second in which nothing runs. Later ones are granted to a busy machine.</summary>
    public async Task ExpectRestAsync()
    {
        double busiest = 0;
        for (int i = 0; i < (Effort.IsFull ? 6 : 12); i++)
        {
            TimeSpan before = ProcessStatus.Cpu(Process.Id);
            long start = Stopwatch.GetTimestamp();
            await Task.Delay(1000);
            double share = (ProcessStatus.Cpu(Process.Id) - before) / Stopwatch.GetElapsedTime(start);
            if (share < 0.03)
                return;
            busiest = Math.Max(busiest, share);
        }
        Assert.Fail($"I4: the idle server uses {busiest:P0} of a core.");
    }

    private async Task<ChannelClient> EnterAsync(string target, IPAddress? from)
    {
        ChannelClient client = await UpgradeAsync(target, from);
        await client.ReadGreetingAsync();
        return client;
    }
}
