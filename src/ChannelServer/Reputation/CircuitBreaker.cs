namespace ChannelServer.Reputation;

/// <summary>
/// Stops asking a service that does not answer: after a few failures in a row nobody asks for a while, and then one tries whether it is
/// back. Safe for any thread.
/// </summary>
internal sealed class CircuitBreaker(TimeProvider time)
{
    /// <summary>Failures in a row that open it.</summary>
    public const int MaxFailures = 5;

    /// <summary>How long it stays open before one may try.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private readonly long _started = time.GetTimestamp();
    private readonly Lock _gate = new();
    private int _failures;
    private TimeSpan _nextTry;
    private bool _isTried;

    /// <summary>Whether to ask now.</summary>
    public bool TryPass()
    {
        lock (_gate)
        {
            if (_failures < MaxFailures)
                return true;
            TimeSpan now = time.GetElapsedTime(_started);
            if (now < _nextTry)
                return false;
            // This one tries; the others wait for what it finds.
            _nextTry = now + Pause;
            _isTried = true;
            return true;
        }
    }

    /// <summary>The service answered.</summary>
    /// <returns>Whether it had been given up.</returns>
    public bool Succeeded()
    {
        lock (_gate)
        {
            bool wasOpen = _failures >= MaxFailures;
            // An answer that was under way when it opened: a service that fails half the time would be lost and found many times a second.
            if (wasOpen && !_isTried)
                return false;
            _failures = 0;
            _isTried = false;
            return wasOpen;
        }
    }

    /// <summary>The service did not answer.</summary>
    /// <returns>Whether it is given up for now, which it was not before.</returns>
    public bool Failed()
    {
        lock (_gate)
        {
            _nextTry = time.GetElapsedTime(_started) + Pause;
            return ++_failures == MaxFailures;
        }
    }
}
