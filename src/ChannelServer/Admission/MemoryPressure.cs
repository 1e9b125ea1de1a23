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

    /// <summary>Octets below the mark that nobody takes within a second: 20,000 clients that came at once were seen to take 200 MB.</summary>
    private const long Plenty = 512 * 1024 * 1024;

    private static readonly TimeSpan _calmInterval = TimeSpan.FromSeconds(1);

    /// <summary>In that time such a crowd takes 20 MB: less than what is kept back above the mark of a small limit.</summary>
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
        MemoryUse use = _measure();
        if (IsAbove(use) && (_collected == 0 || _time.GetElapsedTime(_collected) >= _collectionPause))
        {
            _collect();
            _collected = _time.GetTimestamp();
            use = _measure();
        }
        _isHigh = IsAbove(use);
        _timer.Change((use.Limit * Mark) - use.Used < Plenty ? _closeInterval : _calmInterval, Timeout.InfiniteTimeSpan);
    }

    private static bool IsAbove(MemoryUse use) => use.Limit < long.MaxValue && use.Used > use.Limit * Mark;
}
