using System.Diagnostics;
using System.Globalization;

namespace ChannelServer.Bench;

/// <summary>Puts one workload on one server and takes the figures.</summary>
internal sealed class Trial(ServerProcess server, Pace pace, int round)
{
    private CpuReading? _cpu;
    private HostClock _host;
    private long _started, _generator;
    private TimeSpan _own;

    /// <summary>A few seconds of everything, so that no measurement pays for compiling or for first touches of memory.</summary>
    public void WarmUp(TimeSpan each)
    {
        foreach (WorkloadKind kind in new[] { WorkloadKind.Sessions, WorkloadKind.Conversation })
            _ = new Trial(server, pace with { WarmUp = TimeSpan.Zero, Measured = each }, round).Run(new Workload("warm-up", "", kind));
    }

    /// <summary>One load, from the first connection to the last close handshake. Any error ends the campaign.</summary>
    public Measurement Run(Workload workload)
    {
        try
        {
            return Measure(workload);
        }
        catch (LoadFailureException failure)
        {
            throw new LoadFailureException($"{server.Spec.Name}, {workload.Name}: {failure.Message}");
        }
    }

    private Measurement Measure(Workload workload)
    {
        using LoadLoop loop = new(server.Port);
        Measurement measurement = workload.Kind switch
        {
            WorkloadKind.Conversation => Converse(loop, workload),
            WorkloadKind.FixedRate => KeepRate(loop, workload),
            WorkloadKind.Sessions => Pairings(loop, workload),
            _ => throw new UnreachableException($"{workload.Kind} is not a load of its own"),
        };
        loop.Scenario = loop.Scenario is Sessions ? loop.Scenario : null;
        loop.CloseAll();
        return measurement;
    }

    /// <summary>Memory of the server before its first connection.</summary>
    public Measurement Started() => new()
    {
        Workload = Workload.Started,
        Server = server.Spec.Name,
        Round = round,
        Pss = server.ReadPss(),
    };

    /// <summary>Memory for an idle connection, then time for its pings.</summary>
    public (Measurement Memory, Measurement Pings) RunIdle()
    {
        try
        {
            return MeasureIdle();
        }
        catch (LoadFailureException failure)
        {
            throw new LoadFailureException($"{server.Spec.Name}, idle: {failure.Message}");
        }
    }

    private (Measurement Memory, Measurement Pings) MeasureIdle()
    {
        using LoadLoop loop = new(server.Port);
        RunFor(loop, pace.Calm); // let go of what the warm-up left
        long before = server.ReadPss();
        HostClock host = HostClock.Read();
        Idle idle = new(loop, 300);
        loop.Scenario = idle;
        int connections = idle.Prepare(pace.IdleConnections / 2).Count * 2;
        RunFor(loop, pace.FirstPings);
        Measurement memory = new()
        {
            Workload = Workload.IdleMemory,
            Server = server.Spec.Name,
            Round = round,
            Operations = connections,
            Pss = (double)(server.ReadPss() - before) / connections,
            Steal = HostClock.Read().StealSince(host),
        };

        long pings = loop.Pings;
        Begin();
        RunFor(loop, pace.Pinging);
        Measurement pinging = End(Workload.IdlePings, loop.Pings - pings);
        loop.Scenario = null;
        loop.CloseAll();
        return (memory, pinging);
    }

    private Measurement Converse(LoadLoop loop, Workload workload)
    {
        Conversation conversation = new(loop, workload.MessageSize);
        loop.Scenario = conversation;
        conversation.Start(conversation.Prepare(workload.Pairs), workload.InFlight);
        RunFor(loop, pace.WarmUp);
        conversation.Operations = 0;
        Begin();
        RunFor(loop, pace.Measured);
        Measurement measurement = End(workload.Name, conversation.Operations);
        conversation.Stopped = true;
        loop.RunUntil(() => conversation.Underway == 0, TimeSpan.FromSeconds(10), "the last messages");
        return measurement;
    }

    private Measurement KeepRate(LoadLoop loop, Workload workload)
    {
        FixedRate rate = new(loop, workload.MessageSize, workload.PerSecond);
        loop.Scenario = rate;
        List<Pair> pairs = rate.Prepare(workload.Pairs);
        Measurement? measurement = null;
        rate.Run(pairs, pace.WarmUp, pace.Measured, Begin, () => measurement = End(workload.Name, rate.Operations));
        double expected = workload.PerSecond * measurement!.Seconds;
        if (measurement.Operations < expected * 0.9 && !measurement.Disturbed)
        {
            throw new LoadFailureException(string.Create(CultureInfo.InvariantCulture,
                $"delivered {measurement.Operations} of {expected:F0} messages"));
        }
        return measurement with
        {
            P50 = rate.Latency.Percentile(0.5),
            P99 = rate.Latency.Percentile(0.99),
            P999 = rate.Latency.Percentile(0.999),
        };
    }

    private Measurement Pairings(LoadLoop loop, Workload workload)
    {
        Sessions sessions = new(loop, workload.MessageSize);
        loop.Scenario = sessions;
        sessions.Start(workload.Pairs);
        RunFor(loop, pace.WarmUp);
        sessions.Operations = 0;
        Begin();
        RunFor(loop, pace.Measured);
        Measurement measurement = End(workload.Name, sessions.Operations);
        sessions.Stopped = true;
        loop.RunUntil(() => loop.Live == 0, TimeSpan.FromSeconds(10), "the last sessions");
        return measurement;
    }

    private static void RunFor(LoadLoop loop, TimeSpan time)
    {
        long until = Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency);
        while (Stopwatch.GetTimestamp() < until)
            loop.Turn(10);
    }

    private void Begin()
    {
        _host = HostClock.Read();
        _own = Environment.CpuUsage.TotalTime;
        _generator = OwnThread();
        _cpu = server.ReadCpu();
        _started = Stopwatch.GetTimestamp();
    }

    private Measurement End(string workload, long operations)
    {
        TimeSpan elapsed = Stopwatch.GetElapsedTime(_started);
        long cpu = server.ReadCpu().Since(_cpu!), generator = OwnThread() - _generator;
        HostClock host = HostClock.Read();
        TimeSpan own = Environment.CpuUsage.TotalTime - _own + TimeSpan.FromMicroseconds(cpu / 1000.0);
        if (operations == 0)
            throw new LoadFailureException("nothing happened");
        return new Measurement
        {
            Workload = workload,
            Server = server.Spec.Name,
            Round = round,
            Operations = operations,
            Seconds = elapsed.TotalSeconds,
            CpuMicroseconds = cpu / 1000.0 / operations,
            ServerLoad = cpu / elapsed.TotalNanoseconds,
            GeneratorLoad = generator / elapsed.TotalNanoseconds,
            Steal = host.StealSince(_host),
            Others = host.OthersSince(_host, own),
        };
    }

    private static long OwnThread()
    {
        string text = File.ReadAllText("/proc/thread-self/schedstat");
        return long.Parse(text.AsSpan(0, text.IndexOf(' ', StringComparison.Ordinal)), CultureInfo.InvariantCulture);
    }
}
