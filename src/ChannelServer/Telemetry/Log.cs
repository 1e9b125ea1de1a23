using ChannelServer.Relay;

// Values that the text does not repeat are the point; see the summary.
#pragma warning disable SYSLIB1015

namespace ChannelServer.Telemetry;

/// <summary>
/// Every line that the server writes to its log. Ids are stable. 1 to 99 happen a handful of times in the life of a process and are
/// never held back; from 100 on they are caused by clients, and <see cref="LineBudget"/> bounds them.
/// Texts are constant and values stand beside them, so that a log can be searched by text and counted by value.
/// </summary>
internal static partial class Log
{
    public const int FirstBudgeted = 100;

    [LoggerMessage(1, LogLevel.Information, "server started")]
    public static partial void ServerStarted(this ILogger logger, string version, string commit, string engine, string addresses);

    [LoggerMessage(2, LogLevel.Information, "server stopping")]
    public static partial void ServerStopping(this ILogger logger);

    [LoggerMessage(3, LogLevel.Information, "server stopped")]
    public static partial void ServerStopped(this ILogger logger);

    [LoggerMessage(11, LogLevel.Warning, "location is off: no database; put a GeoLite2-City.mmdb there or set mmdb_loc")]
    public static partial void LocationOff(this ILogger logger, string path, string why);

    [LoggerMessage(12, LogLevel.Information, "location database opened")]
    public static partial void LocationOn(this ILogger logger, string path, DateTime built);

    [LoggerMessage(13, LogLevel.Information, "location database replaced")]
    public static partial void LocationReplaced(this ILogger logger, string path, DateTime built);

    [LoggerMessage(14, LogLevel.Warning, "location database not taken: what was in use stays")]
    public static partial void LocationNotReplaced(this ILogger logger, string path, string why);

    [LoggerMessage(20, LogLevel.Warning, "statistics wait: the name of the statsd server cannot be resolved")]
    public static partial void StatsdUnresolved(this ILogger logger, string host, double retrySeconds);

    [LoggerMessage(21, LogLevel.Information, "statistics go to the statsd server")]
    public static partial void StatsdResolved(this ILogger logger, string host, string endpoint);

    [LoggerMessage(22, LogLevel.Warning, "statistics cannot be sent")]
    public static partial void StatsdUnreachable(this ILogger logger, string endpoint, string fault, double retrySeconds);

    [LoggerMessage(30, LogLevel.Warning,
        "limits per client address have no effect: clients come from one private address, most likely a proxy; name it in trusted_proxy_list")]
    public static partial void ClientsBehindProxy(this ILogger logger, LoggedAddress proxy);

    [LoggerMessage(31, LogLevel.Warning,
        "limits per client address have no effect: a trusted proxy does not tell its clients' addresses; let it send X-Forwarded-For")]
    public static partial void ClientsUnknown(this ILogger logger);

    [LoggerMessage(32, LogLevel.Warning, "reputation service does not answer: every address is welcome until it does")]
    public static partial void ReputationLost(this ILogger logger, string fault, double retrySeconds);

    [LoggerMessage(33, LogLevel.Information, "reputation service answers again")]
    public static partial void ReputationFound(this ILogger logger);

    [LoggerMessage(34, LogLevel.Information, "stopping at once: a second signal")]
    public static partial void ServerHurrying(this ILogger logger);

    [LoggerMessage(35, LogLevel.Error,
        "connections cannot be accepted for now; if descriptors have run out, raise their limit (ulimit -n, LimitNOFILE)")]
    public static partial void AcceptFailed(this ILogger logger, string fault);

    [LoggerMessage(100, LogLevel.Debug, "session began")]
    public static partial void SessionBegan(this ILogger logger, SessionStart start);

    [LoggerMessage(101, LogLevel.Information, "session ended")]
    public static partial void SessionEnded(
        this ILogger logger, string reason, int code, double seconds, int messages, LoggedAddress remote);

    [LoggerMessage(102, LogLevel.Debug, "session refused")]
    public static partial void SessionRefused(this ILogger logger, string reason, LoggedAddress remote);

    [LoggerMessage(103, LogLevel.Debug, "upgrade refused")]
    public static partial void UpgradeRefused(this ILogger logger, string reason, int status, string advice, LoggedAddress remote);

    [LoggerMessage(104, LogLevel.Information, "client address unknown: a trusted proxy did not tell it in X-Forwarded-For")]
    public static partial void ForwardedAddressUnusable(this ILogger logger, string reason, int hop, string text);

    [LoggerMessage(105, LogLevel.Information, "limit of an address reached, not enforced: limit_mode is log")]
    public static partial void LimitNotEnforced(this ILogger logger, string reason, string advice, LoggedAddress remote);

    [LoggerMessage(106, LogLevel.Warning, "a record of the location database is corrupt: a client has no location")]
    public static partial void LocationRecordCorrupt(this ILogger logger, string database, string fault);

    [LoggerMessage(107, LogLevel.Debug, "request refused: its head could not be read")]
    public static partial void HeadRefused(this ILogger logger, string reason, int status, string advice, LoggedAddress peer);

    [LoggerMessage(110, LogLevel.Error, "channel ended by a bug")]
    public static partial void ChannelFailed(this ILogger logger, Exception exception);

    [LoggerMessage(111, LogLevel.Error, "health check failed")]
    public static partial void HealthCheckFailed(this ILogger logger, string check, Exception exception);
}
