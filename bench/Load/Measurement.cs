namespace ChannelServer.Bench;

/// <summary>One figure sheet: one server, one workload, one round.</summary>
internal sealed record Measurement
{
    private const double MaxSteal = 0.05;
    private const double MaxOthers = 0.1;

    public required string Workload { get; init; }
    public required string Server { get; init; }
    public required int Round { get; init; }

    /// <summary>Messages, sessions or pings in the measured time.</summary>
    public long Operations { get; init; }

    public double Seconds { get; init; }

    /// <summary>Server CPU, all threads, microseconds for one operation.</summary>
    public double CpuMicroseconds { get; init; }

    /// <summary>Share of its core that the server used.</summary>
    public double ServerLoad { get; init; }

    /// <summary>Share of its core that the generator's thread used; at a fixed rate it always spins.</summary>
    public double GeneratorLoad { get; init; }

    public double? P50 { get; init; }
    public double? P99 { get; init; }
    public double? P999 { get; init; }

    /// <summary>Octets: of the started server, or the growth for one idle connection.</summary>
    public double? Pss { get; init; }

    /// <summary>Share of the time that the hypervisor took from the machine.</summary>
    public double Steal { get; init; }

    /// <summary>Share of the machine's time that went to processes that have no part in this.</summary>
    public double Others { get; init; }

    /// <summary>The machine was not ours enough.</summary>
    public bool Disturbed => Steal > MaxSteal || Others > MaxOthers;

    /// <summary>It, or what was measured with it, was disturbed: no median counts it.</summary>
    public bool Discarded { get; init; }

    /// <summary>Operations in a second.</summary>
    public double Throughput => Seconds > 0 ? Operations / Seconds : 0;
}
