namespace ChannelServer.Bench;

internal enum WorkloadKind
{
    Conversation,
    FixedRate,
    Sessions,
}

/// <summary>A named load, with everything that defines it.</summary>
internal sealed record Workload(string Name, string Title, WorkloadKind Kind)
{
    public int MessageSize { get; init; } = 300;
    public int Pairs { get; init; } = 64;
    public int InFlight { get; init; } = 1;
    public int PerSecond { get; init; }

    /// <summary>The names of what is measured on a freshly started server.</summary>
    public const string IdleMemory = "idle-memory", IdlePings = "idle-pings", Started = "started";

    public static IReadOnlyList<Workload> All { get; } =
    [
        new("lockstep", "300 B, lockstep, 64 pairs, saturated", WorkloadKind.Conversation),
        new("rate", "300 B, 10,000 messages/s over 200 pairs", WorkloadKind.FixedRate) { Pairs = 200, PerSecond = 10_000 },
        new("pipelined", "300 B, 16 in flight per pair, 64 pairs, saturated", WorkloadKind.Conversation) { InFlight = 16 },
        new("sessions", "whole pairing sessions, 32 at once", WorkloadKind.Sessions) { Pairs = 32 },
        new("lockstep-100", "100 B, lockstep, 64 pairs", WorkloadKind.Conversation) { MessageSize = 100 },
        new("lockstep-1500", "1.5 KB, lockstep, 64 pairs", WorkloadKind.Conversation) { MessageSize = 1500 },
        new("lockstep-16384", "16 KB, lockstep, 64 pairs", WorkloadKind.Conversation) { MessageSize = 16384 },
    ];
}

/// <summary>Lengths of a measurement's parts.</summary>
/// <param name="Warming">Each of two loads before the first measurement of a process: code is compiled, memory touched.</param>
/// <param name="WarmUp">Each load before its measured time.</param>
/// <param name="Measured">What counts.</param>
/// <param name="Calm">Silence before memory is read.</param>
/// <param name="FirstPings">Long enough for every idle connection to be pinged, before its memory is read.</param>
/// <param name="Pinging">What counts of the pings: whole heartbeats.</param>
/// <param name="IdleConnections">How many are held.</param>
internal sealed record Pace(
    TimeSpan Warming, TimeSpan WarmUp, TimeSpan Measured, TimeSpan Calm, TimeSpan FirstPings, TimeSpan Pinging, int IdleConnections)
{
    public static Pace Full { get; } = new(Seconds(3), Seconds(1), Seconds(3), Seconds(2), Seconds(7), Seconds(10), 18_000);
    public static Pace Quick { get; } = new(Seconds(1), Seconds(0.5), Seconds(1), Seconds(1), Seconds(1), Seconds(5), 2_000);

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}
