using ChannelServer.Telemetry;

namespace ChannelServer.Transport;

/// <summary>Tells that accepting fails, at most every ten seconds: without descriptors it does at every try.</summary>
/// <param name="logger">Told.</param>
/// <param name="time">The clock.</param>
internal sealed class AcceptFailures(ILogger logger, TimeProvider time)
{
    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(10);

    // Any thread.
    private long _toldAt;

    /// <summary>An accept failed, and not because its client has left.</summary>
    /// <param name="fault">In the system's words.</param>
    public void Report(string fault)
    {
        long told = Interlocked.Read(ref _toldAt);
        if (told != 0 && time.GetElapsedTime(told) < _pause)
            return;
        if (Interlocked.CompareExchange(ref _toldAt, time.GetTimestamp(), told) == told)
            logger.AcceptFailed(fault);
    }
}
