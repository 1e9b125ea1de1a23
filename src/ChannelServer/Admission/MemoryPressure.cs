namespace ChannelServer.Admission;

/// <summary>How much memory is in use, of how much.</summary>
/// <param name="Used">Octets.</param>
/// <param name="Limit">Octets; <see cref="long.MaxValue"/> when there is no limit.</param>
internal readonly record struct MemoryUse(long Used, long Limit);

/// <summary>
/// Watches how near the process is to its memory limit: above the mark new channels are refused, so that those that exist go on. Looks once
/// a second while there is plenty, and ten times as often when there is not, on a timer's thread.
/// </summary>
internal sealed class MemoryPressure : IDisposable
{
    /// <summary>The part of the limit above which nothing new is taken.</summary>
    public const double Mark = 0.8;

    /// <summary>The part of the limit below which nothing can come so fast that a second matters.</summary>
    private const double Plenty = 0.4;

    private static readonly TimeSpan _calmInterval = TimeSpan.FromSeconds(1);

    /// <summary>A crowd that comes at once was seen to take 64 MB in a second: what is kept back above the mark of a small limit.</summary>
    private static readonly TimeSpan _closeInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// How often memory is asked back while it is short. A server that refuses everybody allocates nothing, so without asking no
    /// collection would ever find what its clients have left behind.
    /// </summary>
    private static readonly TimeSpan _collectionPause = TimeSpan.FromSeconds(10);

    private readonly Func<MemoryUse> _measure;
    private readonly Action _collect;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private long _collected;
    private volatile bool _isHigh;

    /// <param name="time">The clock.</param>
    /// <param name="measure">Tells the use.</param>
    /// <param name="collect">Asks for memory back.</param>
    public MemoryPressure(TimeProvider time, Func<MemoryUse> measure, Action collect)
    {
        _measure = measure;
        _collect = collect;
        _time = time;
        _timer = time.CreateTimer(static self => ((MemoryPressure)self!).Look(), this, _calmInterval, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether memory is short.</summary>
    public bool IsHigh => _isHigh;

    /// <summary>Watches this process.</summary>
    public static MemoryPressure OfProcess(TimeProvider time)
    {
        MemoryGauge gauge = MemoryGauge.Find("/proc/self/cgroup", "/sys/fs/cgroup");
        return new MemoryPressure(
            time, gauge.Read, static () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true));
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        double share = Share();
        if (share > Mark && (_collected == 0 || _time.GetElapsedTime(_collected) >= _collectionPause))
        {
            _collect();
            _collected = _time.GetTimestamp();
            share = Share();
        }
        _isHigh = share > Mark;
        _timer.Change(share > Plenty ? _closeInterval : _calmInterval, Timeout.InfiniteTimeSpan);
    }

    private double Share()
    {
        MemoryUse use = _measure();
        return use.Limit < long.MaxValue ? (double)use.Used / use.Limit : 0;
    }
}
