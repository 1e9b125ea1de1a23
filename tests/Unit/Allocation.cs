namespace ChannelServer.Tests;

/// <summary>What the thread of a test allocates.</summary>
internal static class Allocation
{
    /// <summary>How often a test does what allocates nothing.</summary>
    public const int Tries = 10;

    /// <summary>Octets that the tries may allocate together. A list that grows with each of ten thousand rounds takes twice as many.</summary>
    private const long Stray = 64 * 1024;

    /// <summary>
    /// Fails if an action allocates every time, or much at ever greater distances, as a list that only grows does. A little now and then is the
    /// runtime's own, while code is new.
    /// </summary>
    /// <param name="action">Repeats what is under test, a thousand times or more.</param>
    public static void AssertNone(Action action)
    {
        long[] tries = [.. Enumerable.Range(0, Tries).Select(_ => Of(action))];
        string each = string.Join(", ", tries);
        Assert.True(tries.Min() == 0, each);
        Assert.True(tries.Sum() <= Stray, each);
    }

    private static long Of(Action action)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
