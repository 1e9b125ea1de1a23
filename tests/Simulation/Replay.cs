namespace ChannelServer.Simulation;

/// <summary>Runs seeds and turns a failure into something that a person can act on.</summary>
/// <param name="prepare">What is done to each world before it runs.</param>
internal sealed class Replay(Action<World>? prepare = null)
{
    private const int Lines = 60;

    private readonly Trace _trace = new();

    /// <summary>Events of all worlds so far.</summary>
    public long Events { get; private set; }

    /// <summary>How often a session ended, or was refused, for each reason, in all worlds so far.</summary>
    public int[] Reasons { get; } = new int[Enum.GetValues<Relay.EndReason>().Length];

    /// <summary>What clients that come back have seen, in all worlds so far.</summary>
    public Tally Tally { get; } = new();

    /// <summary>The most sessions that lived at once in the last world.</summary>
    public int Peak { get; private set; }

    /// <summary>Runs a world to its end.</summary>
    /// <returns>The hash of its trace.</returns>
    /// <exception cref="SimulationFailure">With the seed, the trace and the command that replays it.</exception>
    public ulong Run(ulong seed, int? clients = null, int? steps = null)
    {
        _trace.Reset();
        World world = new(seed, _trace, Tally, clients, steps);
        try
        {
            prepare?.Invoke(world);
            world.Run();
        }
#pragma warning disable CA1031 // Whatever escapes is a failure, and wants to be told with its seed.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            throw new SimulationFailure(Describe(world, seed, clients, steps, failure));
        }
        Events += world.Steps;
        Peak = world.Peak;
        for (int reason = 0; reason < Reasons.Length; reason++)
            Reasons[reason] += world.Reasons[reason];
        return _trace.Hash;
    }

    private string Describe(World world, ulong seed, int? clients, int? steps, Exception failure)
    {
        int? where = (failure as SimulationFailure)?.Connection;
        string command = $"make simulate SEED={seed}" + (steps is null ? "" : $" STEPS={steps}") + (clients is null ? "" : $" CLIENTS={clients}");
        string what = failure is SimulationFailure ? failure.Message : failure.ToString();
        return $"""
            seed {seed}: {what}{(where is null ? "" : $" (connection #{where})")}
            at {world.Now.TotalSeconds:F6} s, event {world.Steps}
            {world.Swarm.Limits}
            {_trace.Tell(Involved(world, where), Lines)}
            replay: {command}
            """;
    }

    /// <summary>The connection where it showed, whoever shared its channel, and the server itself.</summary>
    private static HashSet<int> Involved(World world, int? where)
    {
        if (where is null)
            return [];
        Client found = world.Connections[where.Value].Client;
        string? name = found.Device?.Name ?? found.Name;
        HashSet<int> involved = [-1, where.Value];
        foreach (Connection other in world.Connections)
        {
            bool isOurs = other.Client.Device is not null && other.Client.Device == found.Device;
            if (isOurs || (name is not null && other.Client.Name == name))
                involved.Add(other.Number);
        }
        return involved;
    }
}
