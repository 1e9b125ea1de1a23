namespace ChannelServer;

/// <summary>What a process has of memory, and what keeps it busy.</summary>
/// <param name="Resident">Octets in memory; 0 when the system does not tell.</param>
/// <param name="Allocated">Octets allocated on the heap since the start.</param>
/// <param name="Clients">Connections, and seats that are held for clients who have lost theirs: what is kept for those stays until their time is over.</param>
internal readonly record struct MemoryFootprint(long Resident, long Allocated, int Clients);

/// <summary>
/// Gives memory back that a crowd has left behind. A server at rest allocates nothing, so that no collection would ever come: 14,000 clients that had gone
/// were seen to leave 126 MB resident of a server of 47 MB (271 MB on Kestrel), for good. A collection stops all threads for some milliseconds, so it comes
/// only where it is worth it: what those who have gone are expected to have left is much, and would not be taken again within minutes. For the program
/// alone: in other programs the heap is not the server's.
/// </summary>
internal sealed class MemoryReturn : IAsyncDisposable
{
    /// <summary>How often it looks: a crowd that has gone is noticed after two looks at most.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    /// <summary>Less is not worth a collection.</summary>
    internal const long Worthwhile = 4 * 1024 * 1024;

    /// <summary>How long the shards have to leave their buffers, before they are collected.</summary>
    internal static readonly TimeSpan Settling = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long after a collection the second one comes, where most have gone: those who were going just then let go of theirs a little later, and what
    /// finalizers hold is garbage only then.
    /// </summary>
    internal static readonly TimeSpan SecondLook = TimeSpan.FromSeconds(4);

    /// <summary>For how many intervals what is given back must be enough, at the pace of the last.</summary>
    private const int Lasting = 12;

    private readonly Func<MemoryFootprint> _measure;
    private readonly Action _release;
    private readonly Action _collect;
    private readonly ITimer _timer;
    private MemoryFootprint _then;
    private long _allocated;
    private long _least;
    private int _most;
    private bool _isReleasing;
    private bool _isSecond;

    /// <param name="time">The clock.</param>
    /// <param name="measure">Tells what there is.</param>
    /// <param name="release">Has everybody let go of what is kept for reuse, soon.</param>
    /// <param name="collect">Gives back what nobody uses.</param>
    public MemoryReturn(TimeProvider time, Func<MemoryFootprint> measure, Action release, Action collect)
    {
        _measure = measure;
        _release = release;
        _collect = collect;
        _then = measure();
        _allocated = _then.Allocated;
        _least = _then.Resident;
        // A timer that is set anew each time never runs beside itself.
        _timer = time.CreateTimer(static self => ((MemoryReturn)self!).Look(), this, Interval, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Watches this process.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="clients">Connections, and seats that are held.</param>
    /// <param name="release">Has everybody let go of what is kept for reuse, soon.</param>
    public static MemoryReturn OfProcess(TimeProvider time, Func<int> clients, Action release) => new(
        time,
        () => new MemoryFootprint(Environment.WorkingSet, GC.GetTotalAllocatedBytes(), clients()),
        release,
        static () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true));

    /// <summary>Returns when it does nothing any more: what it uses may be freed then.</summary>
    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private void Look()
    {
        TimeSpan next = Interval;
        if (_isReleasing)
        {
            int most = _most;
            Collect();
            _isReleasing = false;
            _isSecond = !_isSecond && _then.Clients <= most / 2;
            if (_isSecond)
                next = SecondLook;
        }
        // Without a descriptor, for one, the system does not tell what is resident.
        else if (_measure() is { Resident: > 0 } now && IsWorthIt(now))
        {
            _release();
            _isReleasing = true;
            next = Settling;
        }
        _timer.Change(next, Timeout.InfiniteTimeSpan);
    }

    private bool IsWorthIt(MemoryFootprint now)
    {
        long pace = now.Allocated - _allocated;
        _allocated = now.Allocated;
        _least = Math.Min(_least, now.Resident);
        _most = Math.Max(_most, now.Clients);
        long expected = _isSecond ? now.Resident - _least : GarbageSince(now) + LeftByThoseGone(now);
        // A second collection waits for a time that is quiet enough, unless there is nothing left for it.
        _isSecond &= expected >= Worthwhile;
        return expected >= Worthwhile && expected >= pace * Lasting;
    }

    private void Collect()
    {
        _collect();
        _then = _measure();
        _allocated = _then.Allocated;
        _most = _then.Clients;
    }

    /// <summary>What has come since the last collection, but for the share of those who have come since and are still here.</summary>
    private long GarbageSince(MemoryFootprint now)
    {
        int came = _most - _then.Clients;
        int stayed = Math.Max(0, now.Clients - _then.Clients);
        return Share(now.Resident - _then.Resident, came - stayed, came);
    }

    /// <summary>The share of those who have gone of all that there was at the last collection, beyond what there was at the least.</summary>
    private long LeftByThoseGone(MemoryFootprint now)
    {
        int gone = Math.Max(0, _then.Clients - now.Clients);
        return gone == 0 ? 0 : Share(_then.Resident - _least, gone, _then.Clients);
    }

    private static long Share(long octets, int part, int whole) => whole == 0 ? octets : (long)((double)octets * part / whole);
}
