namespace ChannelServer.Admission;

/// <summary>The answer to a channel upgrade that is not admitted. <c>default</c> means that it is.</summary>
/// <param name="Reason">Why.</param>
/// <param name="RetryAfter">Seconds after which the client may try again; 0 says nothing about it.</param>
internal readonly record struct Refusal(RefusalReason Reason, int RetryAfter = 0)
{
    /// <summary>The most that a client is asked to wait.</summary>
    public const int MaxRetryAfter = 30;

    /// <summary>
    /// How far apart clients are sent that are refused together, so that they do not come back together.
    /// </summary>
    private const int Jitter = 10;

    /// <summary>Whether the upgrade may go on.</summary>
    public bool IsNone => Reason == RefusalReason.None;

    /// <summary>The HTTP status.</summary>
    public int Status => Reason.Status();

    /// <summary>A refusal that is over after a while.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="wait">After what time another try has a chance.</param>
    /// <param name="jitter">From 0 to below 1, drawn for this client.</param>
    public static Refusal For(RefusalReason reason, TimeSpan wait, double jitter) =>
        new(reason, (int)Math.Clamp(Math.Ceiling(wait.TotalSeconds + (jitter * Jitter)), 1, MaxRetryAfter));
}
