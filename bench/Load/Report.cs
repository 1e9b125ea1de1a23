using System.Globalization;
using System.Text;
using System.Text.Json;

namespace ChannelServer.Bench;

/// <summary>
/// Writes <c>benchmarks.md</c>, the charts and the raw figures. In the page only what stands between its two markers is replaced:
/// the prose around them is written by people.
/// </summary>
internal sealed class Report(string directory, IReadOnlyList<ServerSpec> servers, IReadOnlyList<Measurement> measurements, Surroundings surroundings)
{
    private const string Begin = "<!-- figures: written by make bench -->";
    private const string End = "<!-- end of figures -->";
    private const string FloorPrefix = "floor";

    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private readonly Statistics _statistics = new(measurements);
    private readonly StringBuilder _page = new();

    public void Write()
    {
        string figures = Path.Combine(directory, "benchmarks");
        Directory.CreateDirectory(figures);
        File.WriteAllText(Path.Combine(figures, "raw.json"), JsonSerializer.Serialize(new { surroundings, servers, measurements }, _json) + "\n");

        _page.Append(Begin).Append("\n\n");
        Line($"Measured {surroundings.Date} on {surroundings.Machine}, {surroundings.Kernel}, {surroundings.Runtime}; commit `{surroundings.Commit}`; `{surroundings.Command}`.");
        Line($"Medians of {surroundings.Rounds} rounds; {measurements.Count(static m => m.Discarded)} of {measurements.Count} measurements discarded because the hypervisor took more than 5 % of the time or other processes more than 10 %. Every figure is in [raw.json](benchmarks/raw.json).\n");
        Goals();
        foreach (Workload workload in Workload.All)
            Messages(workload);
        IdleConnections();
        _page.Append(End);

        string path = Path.Combine(directory, "benchmarks.md");
        string page = File.Exists(path) ? File.ReadAllText(path) : $"# Benchmarks\n\n{Begin}\n{End}\n";
        int begin = page.IndexOf(Begin, StringComparison.Ordinal), end = page.IndexOf(End, StringComparison.Ordinal);
        if (begin < 0 || end < begin)
            throw new InvalidDataException($"{path} has lost the markers between which the figures stand");
        File.WriteAllText(path, page[..begin] + _page + page[(end + End.Length)..]);

        void Chart(string name, string title, string unit, string workload, Func<Measurement, double?> figure)
        {
            (string, double, bool)[] bars = [.. servers
                .Where(server => _statistics.Has(workload, server.Name))
                .Select(server => (server.Title, _statistics.Median(workload, server.Name, figure), !IsReference(server)))];
            if (bars.Length > 0)
                File.WriteAllText(Path.Combine(figures, name + ".svg"), BarChart.Draw(title, unit, bars));
        }

        foreach (Workload workload in Workload.All)
            Chart(workload.Name, workload.Title, workload.Kind == WorkloadKind.Sessions ? "server CPU, µs a session" : "server CPU, µs a message", workload.Name, static m => m.CpuMicroseconds);
        Chart("latency", "Latency at 10,000 messages/s", "p50, µs", "rate", static m => m.P50);
        Chart(Workload.IdleMemory, "Memory of an idle connection", "bytes", Workload.IdleMemory, static m => m.Pss);
        Chart(Workload.IdlePings, "An idle ping and its pong", "server CPU, µs", Workload.IdlePings, static m => m.CpuMicroseconds);
    }

    private static bool IsReference(ServerSpec server) => !server.Title.StartsWith("channel server", StringComparison.Ordinal);

    private void Goals()
    {
        Line($"## What must be reached\n");
        Line($"| measure | at most | median | lowest – highest (rounds) | |");
        Line($"|---|---|---|---|---|");
        foreach (Goal goal in Goal.All)
            Line($"{goal.Row(_statistics)}");
        Line($"");
    }

    private void Messages(Workload workload)
    {
        if (!servers.Any(server => _statistics.Has(workload.Name, server.Name)))
            return;
        bool timed = workload.Kind == WorkloadKind.FixedRate;
        string what = workload.Kind == WorkloadKind.Sessions ? "session" : "message";
        Line($"## {char.ToUpperInvariant(workload.Title[0])}{workload.Title[1..]}\n");
        Line($"![{workload.Title}](benchmarks/{workload.Name}.svg)\n");
        Line($"| server | CPU µs/{what} | lowest – highest (rounds) | × floor | {what}s/s | server's core | generator's core |{(timed ? " p50 µs | p99 | p99.9 |" : "")}");
        Line($"|---|---|---|---|---|---|---|{(timed ? "---|---|---|" : "")}");
        foreach (ServerSpec server in Sorted(workload.Name, static m => m.CpuMicroseconds))
        {
            double[] all = _statistics.All(workload.Name, server.Name, static m => m.CpuMicroseconds);
            Line($"| {server.Title} | {Figure(Cpu(server))} | {Figure(all.Min())} – {Figure(all.Max())} ({all.Length}) | {TimesFloor(server)} | {Figure(Median(server, static m => m.Throughput))} | {Median(server, static m => m.ServerLoad):P0} | {Median(server, static m => m.GeneratorLoad):P0} |{Latencies(server)}");
        }
        Line($"");

        double Median(ServerSpec server, Func<Measurement, double?> figure) => _statistics.Median(workload.Name, server.Name, figure);
        double Cpu(ServerSpec server) => Median(server, static m => m.CpuMicroseconds);
        string TimesFloor(ServerSpec server) => Figure(Statistics.Median(_statistics.Ratios(workload.Name, server.Name, FloorPrefix, static m => m.CpuMicroseconds)));
        string Latencies(ServerSpec server) => !timed ? "" : FormattableString.Invariant(
            $" {Figure(Median(server, static m => m.P50))} | {Figure(Median(server, static m => m.P99))} | {Figure(Median(server, static m => m.P999))} |");
    }

    private void IdleConnections()
    {
        if (!servers.Any(server => _statistics.Has(Workload.IdleMemory, server.Name)))
            return;
        double count = _statistics.Median(Workload.IdleMemory, servers.First(server => _statistics.Has(Workload.IdleMemory, server.Name)).Name, static m => m.Operations);
        Line($"## {count:N0} idle connections\n");
        Line($"![Memory of an idle connection](benchmarks/{Workload.IdleMemory}.svg)\n");
        Line($"![An idle ping and its pong](benchmarks/{Workload.IdlePings}.svg)\n");
        Line($"| server | bytes/connection | CPU µs/ping and pong | × floor | started, MiB |");
        Line($"|---|---|---|---|---|");
        foreach (ServerSpec server in Sorted(Workload.IdleMemory, static m => m.Pss))
        {
            double memory = _statistics.Median(Workload.IdleMemory, server.Name, static m => m.Pss);
            double cpu = _statistics.Median(Workload.IdlePings, server.Name, static m => m.CpuMicroseconds);
            double times = Statistics.Median(_statistics.Ratios(Workload.IdlePings, server.Name, FloorPrefix, static m => m.CpuMicroseconds));
            double started = _statistics.Median(Workload.Started, server.Name, static m => m.Pss / (1024 * 1024));
            Line($"| {server.Title} | {memory:N0} | {Figure(cpu)} | {Figure(times)} | {Figure(started)} |");
        }
        Line($"");
    }

    private IEnumerable<ServerSpec> Sorted(string workload, Func<Measurement, double?> figure) =>
        servers.Where(server => _statistics.Has(workload, server.Name)).OrderBy(server => _statistics.Median(workload, server.Name, figure));

    private static string Figure(double value) => BarChart.Figure(value);

    private void Line(FormattableString line) => _page.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
