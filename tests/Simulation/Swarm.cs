using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>
/// What one seed makes of the world: its limits, its faults and its clients. Each seed draws its own, and turns much of it off, since
/// a world with a little of everything never meets the rare things (Groce and others, "Swarm testing", 2012).
/// </summary>
internal sealed record Swarm
{
    public required Limits Limits { get; init; }

    /// <summary>Clients that come during the time of faults.</summary>
    public required int Clients { get; init; }

    /// <summary>Events of the time of faults.</summary>
    public required int Steps { get; init; }

    /// <summary>The step at which the server is told to stop; after all others when it is not.</summary>
    public required int StopAt { get; init; }

    public required int[] Temperaments { get; init; }

    public required TimeSpan ArrivalEvery { get; init; }

    /// <summary>The longest time between two acts of a client.</summary>
    public required TimeSpan Pace { get; init; }

    public required TimeSpan Latency { get; init; }

    public required int ResetPerMille { get; init; }

    public required int VanishPerMille { get; init; }

    /// <summary>How often the server's thread is held up.</summary>
    public required int LatePerMille { get; init; }

    public required int KernelUp { get; init; }

    public required int KernelDown { get; init; }

    public required bool WritesChunks { get; init; }

    public required int Shards { get; init; }

    public required int Shard { get; init; }

    public static Swarm Draw(Prng chance, int? clients, int? steps)
    {
        int[] temperaments = new int[Enum.GetValues<Temperament>().Length];
        for (int i = 0; i < temperaments.Length; i++)
            temperaments[i] = i == 0 ? chance.Between(2, 10) : chance.Chance(500) ? chance.Between(1, 5) : 0;
        int shards = chance.Between(1, 3);
        int allSteps = steps ?? chance.Between(200, 2000);
        return new Swarm
        {
            Limits = DrawLimits(chance),
            Clients = clients ?? chance.Between(2, 40),
            Steps = allSteps,
            StopAt = chance.Chance(200) ? chance.Below(allSteps) : int.MaxValue,
            Temperaments = temperaments,
            ArrivalEvery = chance.Span(Milliseconds(clients > 100 ? 1 : 5), Milliseconds(clients > 100 ? 10 : 1000)),
            Pace = chance.Span(Milliseconds(10), Milliseconds(8000)),
            Latency = chance.Span(Milliseconds(1), Milliseconds(800)),
            ResetPerMille = chance.Chance(300) ? chance.Between(1, 30) : 0,
            VanishPerMille = chance.Chance(300) ? chance.Between(1, 30) : 0,
            LatePerMille = chance.Chance(500) ? chance.Between(1, 30) : 0,
            KernelUp = chance.Pick(64, 1024, 16 * 1024, 256 * 1024),
            KernelDown = chance.Pick(64, 300, 4096, 64 * 1024),
            WritesChunks = chance.Chance(500),
            Shards = shards,
            Shard = chance.Below(shards),
        };
    }

    private static Limits DrawLimits(Prng chance)
    {
        // The defaults are as interesting as any drawn limits.
        if (chance.Chance(250))
            return new Limits { MessageTimeout = TimeSpan.Zero, OctetsBehindEnd = int.MaxValue, ResumeWindow = TimeSpan.Zero };
        return new Limits
        {
            MaxChannelConnections = chance.Pick(1, 2, 3, 3, 5),
            MaxExchanges = chance.Pick(0, 0, 1, 3, 10, 1000),
            MaxData = chance.Pick(0, 0, 0, 64, 2000, 100_000),
            MaxMessage = chance.Pick(16, 125, 126, 1000, 65535, 65536, 70_000),
            ConnLifespan = chance.Pick(0, 2000, 20_000, 300_000) * Milliseconds(1),
            ClientTimeout = chance.Pick(1000, 6000, 30_000) * Milliseconds(1),
            Heartbeat = chance.Pick(0, 300, 1000, 5000, 5000) * Milliseconds(1),
            OutboundOctets = chance.Pick(200, 4096, 256 * 1024, 256 * 1024),
            OutboundMessages = chance.Pick(1, 2, 8, 64, 64, 64),
            WriteTimeout = chance.Pick(200, 1000, 5000) * Milliseconds(1),
            MaxFragments = chance.Pick(1, 2, 3, 64),
            // Not in the model; unit and reliability tests have them.
            MessageTimeout = TimeSpan.Zero,
            ResumeWindow = TimeSpan.Zero,
            OctetsBehindEnd = int.MaxValue,
            ControlOctetsPerSecond = chance.Pick(100, 1000, 16 * 1024),
            ControlBurst = chance.Pick(200, 2000, 128 * 1024),
            CloseTimeout = chance.Pick(100, 2000) * Milliseconds(1),
        };
    }

    private static TimeSpan Milliseconds(int count) => TimeSpan.FromMilliseconds(count);
}
