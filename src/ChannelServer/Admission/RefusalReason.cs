using System.Diagnostics;
using ChannelServer.WebSockets;

namespace ChannelServer.Admission;

/// <summary>Why a channel upgrade is answered with an HTTP status instead of a session. Status, metric and log line are projections of it.</summary>
internal enum RefusalReason : byte
{
    /// <summary>It is not.</summary>
    None,

    /// <summary>The request head is not well formed.</summary>
    MalformedHead,

    /// <summary>The request head has too many octets or fields.</summary>
    HeadTooLarge,

    /// <summary>The request head was not there in time.</summary>
    HeadTimeout,

    /// <summary>The request is no GET.</summary>
    Method,

    /// <summary>The request asks for no WebSocket, or for another version than 13.</summary>
    NoUpgrade,

    /// <summary>The request asks for a WebSocket, but wrongly.</summary>
    Handshake,

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

/// <summary>What follows from a <see cref="RefusalReason"/>.</summary>
internal static class RefusalReasons
{
    private static readonly string _headTooLarge =
        $"a head may have {RequestHead.MaxBytes} octets and {RequestHead.MaxFields} fields; look at what cookies or proxies add";

    /// <summary>The HTTP status that answers.</summary>
    public static int Status(this RefusalReason reason) => reason switch
    {
        RefusalReason.None => 101,
        RefusalReason.MalformedHead or RefusalReason.Handshake => 400,
        RefusalReason.Origin or RefusalReason.Reputation => 403,
        RefusalReason.Method => 405,
        RefusalReason.HeadTimeout => 408,
        RefusalReason.NoUpgrade => 426,
        RefusalReason.Opens or RefusalReason.Joins or RefusalReason.FailedJoins or RefusalReason.Connections => 429,
        RefusalReason.HeadTooLarge => 431,
        RefusalReason.ConnectionCap or RefusalReason.Memory or RefusalReason.Draining => 503,
        _ => throw new UnreachableException($"No status for {reason}"),
    };

    /// <summary>Its word for metrics and logs: lower case, stable.</summary>
    public static string Tag(this RefusalReason reason) => reason switch
    {
        RefusalReason.None => "none",
        RefusalReason.MalformedHead => "malformed_head",
        RefusalReason.HeadTooLarge => "head_too_large",
        RefusalReason.HeadTimeout => "head_timeout",
        RefusalReason.Method => "method",
        RefusalReason.NoUpgrade => "no_upgrade",
        RefusalReason.Handshake => "handshake",
        RefusalReason.Origin => "origin",
        RefusalReason.Reputation => "reputation",
        RefusalReason.Opens => "opens",
        RefusalReason.Joins => "joins",
        RefusalReason.FailedJoins => "failed_joins",
        RefusalReason.Connections => "connections",
        RefusalReason.ConnectionCap => "connection_cap",
        RefusalReason.Memory => "memory",
        RefusalReason.Draining => "draining",
        _ => throw new UnreachableException($"No word for {reason}"),
    };

    /// <summary>What an operator can look at or change, for the log: one sentence, and the name of the setting where there is one.</summary>
    public static string Advice(this RefusalReason reason) => reason switch
    {
        RefusalReason.None => "",
        RefusalReason.MalformedHead => "the peer does not speak HTTP/1.1, or breaks its rules",
        RefusalReason.HeadTooLarge => _headTooLarge,
        RefusalReason.HeadTimeout => "a head has 10 seconds; the peer is slow, or stopped halfway",
        RefusalReason.Method => "a channel is opened with GET",
        RefusalReason.NoUpgrade => "no WebSocket of version 13 is asked for; if the client did, a proxy has to pass on Upgrade and Connection",
        RefusalReason.Handshake => "Connection, Sec-WebSocket-Key or a body is wrong; look at the client",
        RefusalReason.Origin => "if the page is yours, add its origin to allowed_origins",
        RefusalReason.Reputation => "ask the reputation service about the address, or lower iprep_min",
        RefusalReason.Opens => "the address reached limit_opens",
        RefusalReason.Joins => "the address reached limit_joins",
        RefusalReason.FailedJoins => "the address reached limit_failed_joins",
        RefusalReason.Connections => "the address reached limit_connections",
        RefusalReason.ConnectionCap => "all places are taken; raise max_connections, or the descriptor limit from which it is derived",
        RefusalReason.Memory => "give the process more memory, or lower max_connections",
        RefusalReason.Draining => "the server is stopping; if load balancers notice too late, raise drain_grace",
        _ => throw new UnreachableException($"No advice for {reason}"),
    };
}
