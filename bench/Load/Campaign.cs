using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Bench;

/// <summary>
/// All servers under all loads, round by round. Within a round every load visits the servers one right after the other, in an order
/// that turns from round to round, so that a slow minute of a shared machine strikes all of them and a ratio hardly at all.
/// </summary>
internal sealed class Campaign(IReadOnlyList<ServerSpec> servers, Func<string, bool> chosen, Pace pace, TextWriter log)
{
    private const int ServerCore = 0;
    private const int FirstPort = 18200;
    private const int PortsTried = 200;
    private const int Heartbeat = 5;
    private const int Attempts = 3;

    public List<Measurement> Measurements { get; } = [];

    public void Run(int rounds)
    {
        for (int round = 1; round <= rounds; round++)
        {
            log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round} of {rounds}"));
            ServerSpec[] order = [.. servers.Skip(round % servers.Count), .. servers.Take(round % servers.Count)];
            Messages(round, order);
            Idle(round, order);
        }
    }

    // All servers run at once; those whose turn it is not are silent and cost nothing.
    private void Messages(int round, ServerSpec[] order)
    {
        Workload[] workloads = [.. Workload.All.Where(workload => chosen(workload.Name))];
        List<ServerProcess> running = [];
        try
        {
            foreach (ServerSpec spec in order.Where(spec => workloads.Any(workload => spec.Takes(workload.Name))))
            {
                running.Add(ServerProcess.Start(spec, FreePort(), Heartbeat, ServerCore));
                new Trial(running[^1], pace, round).WarmUp(pace.Warming);
            }
            foreach (Workload workload in workloads)
            {
                Repeat(() => [.. running.Where(server => server.Spec.Takes(workload.Name))
                    .Select(server => new Trial(server, pace, round).Run(workload))]);
            }
        }
        finally
        {
            running.ForEach(static server => server.Dispose());
        }
    }

    // Each server alone and fresh: what it kept from other loads would hide what a connection costs.
    private void Idle(int round, ServerSpec[] order)
    {
        foreach (ServerSpec spec in order.Where(spec => spec.Takes("idle") && chosen("idle")))
        {
            Repeat(() =>
            {
                using ServerProcess server = ServerProcess.Start(spec, FreePort(), Heartbeat, ServerCore);
                Trial trial = new(server, pace, round);
                Thread.Sleep(pace.Calm);
                Measurement started = trial.Started();
                trial.WarmUp(pace.Warming);
                (Measurement memory, Measurement pings) = trial.RunIdle();
                return [started, memory, pings];
            });
        }
    }

    private void Repeat(Func<Measurement[]> measure)
    {
        for (int attempt = 1; attempt <= Attempts; attempt++)
        {
            Measurement[] taken = measure();
            bool discarded = taken.Any(static measurement => measurement.Disturbed);
            foreach (Measurement measurement in taken)
            {
                Measurements.Add(measurement with { Discarded = discarded });
                log.WriteLine(Line(Measurements[^1]));
            }
            if (!discarded)
                return;
        }
    }

    // Below the ports that the kernel gives to clients, so that none of 18,000 can take it.
    private static int FreePort()
    {
        for (int port = FirstPort; ; port++)
        {
            try
            {
                using TcpListener probe = new(IPAddress.Any, port);
                probe.Start();
                return port;
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse && port < FirstPort + PortsTried)
            {
            }
        }
    }

    private static string Line(Measurement m) => string.Create(CultureInfo.InvariantCulture,
        $"  {m.Workload,-15} {m.Server,-19} {(m.Operations > 0 && m.Seconds > 0 ? $"{m.CpuMicroseconds,9:F2} us {m.Throughput,9:F0}/s" : ""),24}"
        + $" {(m.Pss is { } pss ? $"{pss:F0} B" : $"server {m.ServerLoad:P0} generator {m.GeneratorLoad:P0}")}"
        + $"{(m.P50 is { } p50 ? $" p50 {p50:F0} p99 {m.P99:F0} p99.9 {m.P999:F0} us" : "")} steal {m.Steal:P1} others {m.Others:P0}{(m.Discarded ? " discarded" : "")}");
}
