using System.Globalization;

namespace ChannelServer.Bench;

/// <summary>A figure that the server must reach, as a ratio to another server in the same round or by itself.</summary>
internal sealed record Goal(
    string Title, string Workload, string Server, string? Against, Func<Measurement, double?> Figure, double Limit, string Unit)
{
    private static readonly Func<Measurement, double?> _cpu = static m => m.CpuMicroseconds;
    private static readonly Func<Measurement, double?> _pss = static m => m.Pss;

    public static IReadOnlyList<Goal> All { get; } =
    [
        new("CPU per message, 300 B, lockstep, 64 pairs, saturated", "lockstep", "epoll", "floor", _cpu, 1.15, "× floor"),
        new("CPU per message at 10,000 messages/s over 200 pairs", "rate", "epoll", "floor", _cpu, 1.2, "× floor"),
        new("CPU per message, 16 in flight per pair", "pipelined", "epoll", "floor-batching", _cpu, 1.3, "× batching floor"),
        new("CPU per whole pairing session", "sessions", "epoll", "floor", _cpu, 1.15, "× floor"),
        new("memory per idle connection, 18,000 connections", Bench.Workload.IdleMemory, "epoll-resume", null, _pss, 640, "bytes"),
        new("CPU per idle ping and its pong, 18,000 connections", Bench.Workload.IdlePings, "epoll-resume", "floor", _cpu, 1.2, "× floor"),
        new("p50 latency at 10,000 messages/s over 200 pairs", "rate", "epoll", "floor", static m => m.P50, 1.2, "× floor"),
        new("resume on: CPU per message, lockstep", "lockstep", "epoll-resume", "epoll", _cpu, 1.1, "× off"),
        new("resume on: CPU per message, 16 in flight", "pipelined", "epoll-resume", "epoll", _cpu, 1.1, "× off"),
        new("resume on: CPU per message at 10,000 messages/s", "rate", "epoll-resume", "epoll", _cpu, 1.1, "× off"),
        new("resume on: CPU per message at 10,000 messages/s", "rate", "epoll-resume", "floor-asking", _cpu, 1.2, "× floor that asks what arrived"),
        new("resume on: CPU per whole pairing session", "sessions", "epoll-resume", "epoll", _cpu, 1.1, "× off"),
        new("two shards: CPU per message, lockstep", "lockstep", "epoll-2", "epoll", _cpu, 1.15, "× one shard"),
        new("two shards: CPU per message at 10,000 messages/s", "rate", "epoll-2", "epoll", _cpu, 1.15, "× one shard"),
        new("two shards: CPU per message, 16 in flight", "pipelined", "epoll-2", "epoll", _cpu, 1.15, "× one shard"),
        new("two shards: CPU per session", "sessions", "epoll-2", "epoll", _cpu, 1.15, "× one shard"),
        new("Kestrel engine: CPU per message, lockstep", "lockstep", "kestrel", "floor", _cpu, 2, "× floor"),
        new("Kestrel engine: memory per idle connection", Bench.Workload.IdleMemory, "kestrel", null, _pss, 6144, "bytes"),
        new("memory of the started server", Bench.Workload.Started, "epoll-resume", null, static m => m.Pss / (1024 * 1024), 45, "MiB"),
    ];

    /// <summary>The figure to judge and its spread over the rounds; NaN if it was not measured.</summary>
    public (double Median, double Low, double High, int Rounds) Reached(Statistics statistics)
    {
        double[] figures = Against is null
            ? statistics.All(Workload, Server, Figure)
            : statistics.Ratios(Workload, Server, Against, Figure);
        return figures.Length == 0
            ? (double.NaN, double.NaN, double.NaN, 0)
            : (Statistics.Median(figures), figures.Min(), figures.Max(), figures.Length);
    }

    public string Row(Statistics statistics)
    {
        (double median, double low, double high, int rounds) = Reached(statistics);
        if (rounds == 0)
            return $"| {Title} | {Limit.ToString(CultureInfo.InvariantCulture)} {Unit} | | | not measured |";
        string digits = Against is null ? "F0" : "F2";
        string Text(double value) => value.ToString(digits, CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture,
            $"| {Title} | {Limit} {Unit} | {Text(median)} | {Text(low)} – {Text(high)} ({rounds}) | {(median <= Limit ? "reached" : "**missed**")} |");
    }
}
