using System.Diagnostics;
using System.Globalization;

namespace ChannelServer.Simulation;

/// <summary>Runs seeds from the command line: <c>simulate --seed=7 [--count=1000] [--steps=..] [--clients=..]</c>.</summary>
internal static class Command
{
    public static int Run(string[] args)
    {
        ulong first = Number(args, "--seed") ?? 1;
        ulong count = Number(args, "--count") ?? 1;
        int? steps = (int?)Number(args, "--steps");
        int? clients = (int?)Number(args, "--clients");
        Replay replay = new();
        long started = Stopwatch.GetTimestamp();
        for (ulong seed = first; seed < first + count; seed++)
        {
            try
            {
                ulong hash = replay.Run(seed, clients, steps);
                if (count == 1)
                    Console.WriteLine($"seed {seed}: holds, {replay.Events} events, at most {replay.Peak} sessions at once, trace {hash:x16}");
            }
            catch (SimulationFailure failure)
            {
                Console.WriteLine(failure.Message);
                Console.WriteLine($"found by seed {seed}, the {seed - first + 1}. of {count}");
                return 1;
            }
        }
        foreach (Relay.EndReason reason in Enum.GetValues<Relay.EndReason>())
        {
            if (replay.Reasons[(int)reason] > 0)
                Console.WriteLine($"{replay.Reasons[(int)reason],10} {reason}");
        }
        Tally tally = replay.Tally;
        Console.WriteLine($"{tally.Messages} messages at clients that come back, {tally.Resumes} resumes; of {tally.Doubtful} by clients that "
            + $"cannot say what they have, {tally.Repeating} repeated something, {tally.Repeated} messages");
        foreach (Rarity rarity in Enum.GetValues<Rarity>())
            Console.WriteLine($"{tally[rarity],10} {rarity}");
        if (count > 1)
            Console.WriteLine($"{count} seeds hold, {replay.Events} events in {Stopwatch.GetElapsedTime(started).TotalSeconds:F1} s");
        return 0;
    }

    private static ulong? Number(string[] args, string name)
    {
        string? found = Array.Find(args, arg => arg.StartsWith(name + "=", StringComparison.Ordinal));
        return found is null || found.Length == name.Length + 1 ? null : ulong.Parse(found[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }
}
