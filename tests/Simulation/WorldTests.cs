using ChannelServer.Relay;

namespace ChannelServer.Simulation;

public sealed class WorldTests
{
    /// <summary>Ends that nothing in a world can bring about.</summary>
    private static readonly EndReason[] _unreachable =
    [
        EndReason.None, EndReason.ServiceRestart, EndReason.InternalError,
    ];

    [Fact]
    public void Thousands_of_short_worlds_hold_and_meet_every_end_and_every_rarity()
    {
        Replay replay = new();
        for (ulong seed = 1; seed <= 3000; seed++)
            replay.Run(seed);

        foreach (EndReason reason in Enum.GetValues<EndReason>().Except(_unreachable))
            Assert.True(replay.Reasons[(int)reason] > 50, $"Only {replay.Reasons[(int)reason]} sessions ended by {reason}");
        foreach (Rarity rarity in Enum.GetValues<Rarity>())
            Assert.True(replay.Tally[rarity] > 20, $"{rarity} was met only {replay.Tally[rarity]} times");
    }

    [Fact]
    public void A_world_of_thousands_of_clients_holds() => new Replay().Run(seed: 5, clients: 3000, steps: 200_000);

    [Fact]
    public void A_seed_runs_the_same_way_each_time()
    {
        HashSet<ulong> traces = [];
        for (ulong seed = 1; seed <= 100; seed++)
        {
            ulong trace = new Replay().Run(seed);
            Assert.Equal(trace, new Replay().Run(seed));
            traces.Add(trace);
        }
        Assert.Equal(100, traces.Count);
    }

    [Fact]
    public void A_failure_tells_the_seed_the_trace_and_the_command_that_replays_it()
    {
        // An entry that concerns nobody: the world trips over it.
        Replay replay = new(world => world.Enter(TimeSpan.FromMilliseconds(5), Happening.Writable, null));

        SimulationFailure failure = Assert.Throws<SimulationFailure>(() => replay.Run(seed: 11, steps: 400));

        Assert.StartsWith("seed 11: ", failure.Message, StringComparison.Ordinal);
        Assert.Contains("opens a channel", failure.Message, StringComparison.Ordinal);
        Assert.EndsWith("replay: make simulate SEED=11 STEPS=400", failure.Message, StringComparison.Ordinal);
    }
}
