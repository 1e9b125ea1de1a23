namespace ChannelServer.Telemetry;

/// <summary>
/// Bounds the lines per second that clients can cause. What is over the budget is counted by event and reason; at most once a second
/// one line tells the counts. Errors have a small budget of their own, so that no flood of ordinary lines hides them.
/// </summary>
internal sealed class LineBudget : IDisposable
{
    /// <summary>Lines of level Error and above per second, beside the others.</summary>
    public const int ErrorsPerSecond = 4;

    // Events times reasons is a few dozen. The framework's events come on top.
    private const int MaxKinds = 64;

    /// <summary>Counts what is one kind too many.</summary>
    private const string Other = "other";

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly int _perSecond;
    private readonly TimeProvider _time;
    private readonly Action<List<KeyValuePair<string, object?>>> _tell;
    private readonly ITimer _timer;

    // Under the lock.
    private readonly Lock _gate = new();
    private readonly List<Kind> _heldBack = [];
    private long _windowStart;
    private int _lines;
    private int _errors;
    private bool _armed;

    /// <summary>Makes a budget.</summary>
    /// <param name="perSecond">Lines below Error; 0 means no limit for any line.</param>
    /// <param name="time">The clock.</param>
    /// <param name="tell">Writes the line with the counts. Not called under the budget's lock.</param>
    public LineBudget(int perSecond, TimeProvider time, Action<List<KeyValuePair<string, object?>>> tell)
    {
        _perSecond = perSecond;
        _time = time;
        _tell = tell;
        _windowStart = time.GetTimestamp();
        _timer = time.CreateTimer(static budget => ((LineBudget)budget!).Tell(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether a line may be written; else it has been counted.</summary>
    public bool TryTake(LogLevel level, string name, string? reason)
    {
        if (_perSecond == 0)
            return true;
        lock (_gate)
        {
            long now = _time.GetTimestamp();
            if (_time.GetElapsedTime(_windowStart, now) >= Second)
                (_windowStart, _lines, _errors) = (now, 0, 0);
            if (level >= LogLevel.Error ? _errors < ErrorsPerSecond : _lines < _perSecond)
            {
                if (level >= LogLevel.Error)
                    _errors++;
                else
                    _lines++;
                return true;
            }
            Count(name, reason);
            if (!_armed)
                _armed = _timer.Change(Second, Timeout.InfiniteTimeSpan);
            return false;
        }
    }

    /// <summary>Tells what is still held back.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        Tell();
    }

    private void Count(string name, string? reason)
    {
        Kind kind = Find(name, reason) ?? (_heldBack.Count < MaxKinds ? Add(name, reason) : Find(Other, null) ?? Add(Other, null));
        kind.Lines++;
    }

    /// <summary>One by one: under load this is asked for every session, of few kinds, and their strings are the same objects every time.</summary>
    private Kind? Find(string name, string? reason)
    {
        foreach (Kind kind in _heldBack)
        {
            if (kind.Event == name && kind.Reason == reason)
                return kind;
        }
        return null;
    }

    private Kind Add(string name, string? reason)
    {
        Kind kind = new(name, reason);
        _heldBack.Add(kind);
        return kind;
    }

    private void Tell()
    {
        List<KeyValuePair<string, object?>> counts;
        lock (_gate)
        {
            _armed = false;
            if (_heldBack.Count == 0)
                return;
            counts = [.. _heldBack.Select(static kind => KeyValuePair.Create(
                kind.Reason is null ? kind.Event : $"{kind.Event}.{kind.Reason}", (object?)kind.Lines))];
            _heldBack.Clear();
        }
        _tell(counts);
    }

    private sealed class Kind(string name, string? reason)
    {
        public string Event => name;

        public string? Reason => reason;

        public long Lines { get; set; }
    }
}
