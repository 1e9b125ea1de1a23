namespace ChannelServer.Admission;

/// <summary>How many connections of a kind there are, and how many may be. Safe for any thread.</summary>
/// <param name="most">How many may be.</param>
internal sealed class ConnectionCap(int most)
{
    /// <summary>The part of the descriptors that channels may use.</summary>
    private const double Share = 0.8;

    /// <summary>
    /// Descriptors for everything that is no connection. The runtime, its libraries and the listeners hold about 150; libraries that are
    /// loaded late, name look-ups and the reputation service need theirs.
    /// </summary>
    private const int Own = 200;

    /// <summary>Connections without a channel for which there is room in any case: health checks, requests that arrive, answers.</summary>
    private const int Visitors = 64;

    /// <summary>
    /// Connections by which those that are accepted may be ahead of those that have been looked at, where the two are done in different places, or that
    /// several places which accept may have of their own: a part of what is kept for everything else.
    /// </summary>
    internal const int Ahead = 24;

    private const int Least = 16;

    /// <summary>Octets of the heap that a server without clients uses, and a little.</summary>
    private const long Resting = 20 * 1024 * 1024;

    private int _count;

    public int Count => Volatile.Read(ref _count);

    public bool IsReached => Count >= most;

    /// <summary>Whether there are more than may be: of those that were counted as they came, somebody has to go.</summary>
    public bool IsExceeded => Count > most;

    /// <summary>Whether there are so many more that no other may come before somebody has gone.</summary>
    public bool IsOverrun => Count >= most + Ahead;

    /// <summary>How many connections may carry channels.</summary>
    /// <param name="setting"><c>max_connections</c>; 0 derives it from the descriptors.</param>
    /// <param name="descriptors">How many descriptors the process may have; null when that cannot be told.</param>
    public static int ForChannels(int setting, long? descriptors)
    {
        if (setting > 0)
            return setting;
        return descriptors is { } limit and < int.MaxValue
            ? (int)Math.Max(Least, Math.Min(limit * Share, limit - Own - Visitors))
            : int.MaxValue;
    }

    /// <summary>How many connections there may be, whatever they carry.</summary>
    /// <param name="descriptors">How many descriptors the process may have; null when that cannot be told.</param>
    public static int ForSockets(long? descriptors) =>
        descriptors is { } limit and < int.MaxValue ? (int)Math.Max(2 * Least, limit - Own) : int.MaxValue;

    /// <summary>How many connections may carry channels where each may come to cost so much that those who are in could fill the heap together.</summary>
    /// <param name="heap">Octets that the heap may have.</param>
    /// <param name="buffered"><c>max_buffered</c>. Shares may come to twice as much in all; an operator who sets more than a quarter of the heap risks it.</param>
    /// <param name="each">Octets that a connection may cost besides.</param>
    public static int ForMemory(long heap, long buffered, int each) =>
        (int)Math.Clamp((heap - Resting - Math.Min(2 * buffered, heap / 2)) / each, Least, int.MaxValue);

    /// <summary>Counts a connection if there is room for it.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _count) <= most)
            return true;
        Leave();
        return false;
    }

    /// <summary>Counts a connection that is there already.</summary>
    public void Enter() => Interlocked.Increment(ref _count);

    public void Leave() => Interlocked.Decrement(ref _count);
}
