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

    /// <summary>Whether clients come in pairs who talk and come back: what this server is for.</summary>
    public required bool IsPaired { get; init; }

    /// <summary>How many clients speak version 2.</summary>
    public required int VersionTwoPerMille { get; init; }

    /// <summary>How many clients come back when their connection is lost.</summary>
    public required int ReturnPerMille { get; init; }

    /// <summary>How often such a connection is cut at a drawn octet, in each direction.</summary>
    public required int CutPerMille { get; init; }

    /// <summary>How often a claim to a seat is not what its client was told.</summary>
    public required int LiePerMille { get; init; }

    /// <summary>How often the server's thread is held up.</summary>
    public required int LatePerMille { get; init; }

    public required int KernelUp { get; init; }

    public required int KernelDown { get; init; }

    public required bool WritesChunks { get; init; }

    public required int Shards { get; init; }

    public required int Shard { get; init; }

    /// <summary>A bound of all buffers that even none of them exceeds.</summary>
    private const long AlwaysScarce = -1;

    public static Swarm Draw(Prng chance, int? clients, int? steps)
    {
        int[] temperaments = new int[Enum.GetValues<Temperament>().Length];
        for (int i = 0; i < temperaments.Length; i++)
            temperaments[i] = i == 0 ? chance.Between(2, 10) : chance.Chance(500) ? chance.Between(1, 5) : 0;
        bool isPaired = chance.Chance(300);
        if (isPaired)
            temperaments[(int)Temperament.Hasty] = temperaments[(int)Temperament.Silent] = temperaments[(int)Temperament.Hostile] = 0;
        int shards = chance.Between(1, 3);
        int allSteps = steps ?? chance.Between(200, isPaired ? 4000 : 2000);
        Swarm swarm = new()
        {
            Limits = isPaired ? ForPairs(DrawLimits(chance), chance) : DrawLimits(chance),
            Clients = clients ?? chance.Between(2, isPaired ? 12 : 40),
            Steps = allSteps,
            StopAt = chance.Chance(200) ? chance.Below(allSteps) : int.MaxValue,
            Temperaments = temperaments,
            ArrivalEvery = chance.Span(Milliseconds(clients > 100 ? 1 : 5), Milliseconds(clients > 100 ? 10 : 1000)),
            Pace = chance.Span(Milliseconds(10), Milliseconds(8000)),
            Latency = chance.Span(Milliseconds(1), Milliseconds(800)),
            ResetPerMille = chance.Chance(300) ? chance.Between(1, 30) : 0,
            VanishPerMille = chance.Chance(300) ? chance.Between(1, 30) : 0,
            IsPaired = isPaired,
            VersionTwoPerMille = chance.Pick(0, 300, 700, 1000),
            ReturnPerMille = isPaired ? 1000 : chance.Pick(0, 300, 900, 1000),
            CutPerMille = chance.Pick(100, 500, 900),
            LiePerMille = chance.Chance(300) ? chance.Between(1, 200) : 0,
            LatePerMille = chance.Chance(500) ? chance.Between(1, 30) : 0,
            KernelUp = chance.Pick(64, 1024, 16 * 1024, 256 * 1024),
            KernelDown = chance.Pick(64, 300, 4096, 64 * 1024),
            WritesChunks = chance.Chance(500),
            Shards = shards,
            Shard = chance.Below(shards),
        };
        return chance.Chance(200) ? swarm with { Limits = swarm.Limits with { BufferedOctets = AlwaysScarce } } : swarm;
    }

    private static Limits DrawLimits(Prng chance)
    {
        // The defaults are as interesting as any drawn limits.
        if (chance.Chance(250))
            return new Limits { MessageTimeout = TimeSpan.Zero, OctetsBehindEnd = int.MaxValue };
        return new Limits
        {
            MaxChannelConnections = chance.Pick(1, 2, 3, 3, 5),
            MaxExchanges = chance.Pick(0, 0, 1, 3, 10, 1000),
            MaxData = chance.Pick(0, 0, 0, 64, 2000, 100_000),
            MaxMessage = chance.Pick(16, 125, 126, 1000, 65535, 65536, 70_000),
            ConnLifespan = chance.Pick(0, 2000, 20_000, 31_000, 300_000) * Milliseconds(1),
            ResumeWindow = chance.Pick(0, 500, 3000, 60_000, 60_000) * Milliseconds(1),
            ClientTimeout = chance.Pick(1000, 6000, 30_000) * Milliseconds(1),
            Heartbeat = chance.Pick(0, 300, 1000, 5000, 5000) * Milliseconds(1),
            OutboundOctets = chance.Pick(200, 4096, 256 * 1024, 256 * 1024),
            OutboundMessages = chance.Pick(1, 2, 8, 64, 64, 64),
            WriteTimeout = chance.Pick(200, 1000, 5000) * Milliseconds(1),
            MaxFragments = chance.Pick(1, 2, 3, 64),
            // Not in the model; unit and reliability tests have them.
            MessageTimeout = TimeSpan.Zero,
            OctetsBehindEnd = int.MaxValue,
            ControlOctetsPerSecond = chance.Pick(100, 1000, 16 * 1024),
            ControlBurst = chance.Pick(200, 2000, 128 * 1024),
            CloseTimeout = chance.Pick(100, 2000) * Milliseconds(1),
        };
    }

    /// <summary>Limits under which a pair can talk for a while, and be lost, and come back.</summary>
    private static Limits ForPairs(Limits drawn, Prng chance) => drawn with
    {
        MaxChannelConnections = chance.Pick(2, 3),
        MaxExchanges = chance.Pick(0, 0, 10, 1000),
        MaxData = 0,
        ConnLifespan = chance.Pick(0, 20_000, 300_000, 300_000) * Milliseconds(1),
        ResumeWindow = chance.Pick(500, 3000, 60_000, 60_000) * Milliseconds(1),
    };

    private static TimeSpan Milliseconds(int count) => TimeSpan.FromMilliseconds(count);
}
