namespace ChannelServer.Reliability.Harness;

/// <summary>How much a run may take: <c>make test</c> runs short versions side by side, <c>make torture</c> full ones on a calm machine.</summary>
internal static class Effort
{
    public static bool IsFull { get; } = Environment.GetEnvironmentVariable("RELIABILITY") == "full";

    /// <summary>Which engine the servers of this run use; empty for their own choice.</summary>
    public static string Engine { get; } = Environment.GetEnvironmentVariable("CHANNEL_SERVER_ENGINE") ?? "";

    public static int Of(int shortly, int fully) => IsFull ? fully : shortly;

    /// <summary>
    /// The slowest canary that is tolerated. On a calm machine it is the promise; beside other tests and builds only a hang can be told from
    /// a busy core.
    /// </summary>
    public static TimeSpan SlowestCanary(bool isCalm) => TimeSpan.FromSeconds(!IsFull ? 8 : isCalm ? 0.25 : 1);

    /// <summary>Skips, visibly, what this machine cannot do.</summary>
    public static void Require(bool possible, string what)
    {
        if (!possible)
            Assert.Skip($"Not possible here: {what}.");
    }

    /// <summary>Waits until something holds, and fails when it does not in time.</summary>
    public static async Task UntilAsync(Func<bool> holds, TimeSpan within, Func<string> otherwise)
    {
        System.Diagnostics.Stopwatch waited = System.Diagnostics.Stopwatch.StartNew();
        while (!holds())
        {
            if (waited.Elapsed > within)
                Assert.Fail($"Not within {within.TotalSeconds:0.#} s: {otherwise()}");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }
}
