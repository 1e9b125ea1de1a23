namespace ChannelServer.Client;

/// <summary>Waits between attempts: exponential, with full jitter.</summary>
internal sealed class Backoff(ChannelClientOptions options)
{
    private const int MaxDoublings = 30;

    private int _attempts;

    public void Reset() => _attempts = 0;

    public TimeSpan Next()
    {
        double longest = Math.Min(
            options.BackoffCap.TotalMilliseconds, options.BackoffBase.TotalMilliseconds * Math.Pow(2, Math.Min(_attempts++, MaxDoublings)));
        // Not for secrets: clients that were cut together should not come back together.
#pragma warning disable CA5394
        return TimeSpan.FromMilliseconds(longest * options.Random.NextDouble());
#pragma warning restore CA5394
    }
}
