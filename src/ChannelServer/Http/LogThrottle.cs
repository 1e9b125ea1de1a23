namespace ChannelServer.Http;

/// <summary>
/// Lets a few log lines through each second. A misconfigured proxy or a damaged database concerns every client, and what concerns
/// every client must not fill a disk.
/// </summary>
internal sealed class LogThrottle(TimeProvider time)
{
    /// <summary>Lines per second.</summary>
    public const int LinesPerSecond = 5;

    // Any thread, under the lock.
    private readonly Lock _gate = new();
    private long _secondBegan = time.GetTimestamp();
    private int _lines;

    /// <summary>Whether another line may be written now.</summary>
    public bool TryPass()
    {
        lock (_gate)
        {
            if (time.GetElapsedTime(_secondBegan) >= TimeSpan.FromSeconds(1))
            {
                _secondBegan = time.GetTimestamp();
                _lines = 0;
            }
            return _lines++ < LinesPerSecond;
        }
    }
}
