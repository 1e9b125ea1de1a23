namespace ChannelServer.Admission;

/// <summary>Why a channel upgrade is answered with an HTTP status instead of a session.</summary>
internal enum RefusalReason : byte
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>The page that asks is not on <c>allowed_origins</c>.</summary>
    Origin,

    /// <summary>The address has less reputation than <c>iprep_min</c>.</summary>
    Reputation,

    /// <summary>The address opens channels too fast.</summary>
    Opens,

    /// <summary>The address joins channels too fast.</summary>
    Joins,

    /// <summary>Too many joins from the address have failed.</summary>
    FailedJoins,

    /// <summary>The address has too many connections.</summary>
    Connections,

    /// <summary>The server has as many connections as it can hold.</summary>
    ConnectionCap,

    /// <summary>The server is short of memory.</summary>
    Memory,

    /// <summary>The server is stopping.</summary>
    Draining,
}

/// <summary>The answer to an upgrade that is not admitted. <c>default</c> means that it is.</summary>
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
    public int Status => Reason switch
    {
        RefusalReason.None => 101,
        RefusalReason.Origin or RefusalReason.Reputation => 403,
        RefusalReason.Opens or RefusalReason.Joins or RefusalReason.FailedJoins or RefusalReason.Connections => 429,
        _ => 503,
    };

    /// <summary>A refusal that is over after a while.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="wait">After what time another try has a chance.</param>
    /// <param name="jitter">From 0 to below 1, drawn for this client.</param>
    public static Refusal For(RefusalReason reason, TimeSpan wait, double jitter) =>
        new(reason, (int)Math.Clamp(Math.Ceiling(wait.TotalSeconds + (jitter * Jitter)), 1, MaxRetryAfter));
}

/// <summary>The word of a <see cref="RefusalReason"/> for metrics and logs: lower case, stable.</summary>
internal static class RefusalReasons
{
    public static string Tag(this RefusalReason reason) => reason switch
    {
        RefusalReason.None => "none",
        RefusalReason.Origin => "origin",
        RefusalReason.Reputation => "reputation",
        RefusalReason.Opens => "opens",
        RefusalReason.Joins => "joins",
        RefusalReason.FailedJoins => "failed_joins",
        RefusalReason.Connections => "connections",
        RefusalReason.ConnectionCap => "connection_cap",
        RefusalReason.Memory => "memory",
        RefusalReason.Draining => "draining",
        _ => throw new System.Diagnostics.UnreachableException($"No word for {reason}"),
    };
}
