using ChannelServer.Admission;
using ChannelServer.WebSockets;

namespace ChannelServer.Transport;

/// <summary>What a driver does with a request.</summary>
internal enum RouteKind
{
    /// <summary>It is for the HTTP server behind the drivers.</summary>
    Elsewhere,

    /// <summary>It wants a channel, but wrongly: <see cref="ChannelRoute.Fault"/>.</summary>
    Refuse,

    /// <summary>It becomes a session.</summary>
    Upgrade,
}

/// <summary>Where a request head leads. Valid as long as the head's bytes are.</summary>
internal readonly ref struct ChannelRoute
{
    private static ReadOnlySpan<byte> Prefix => "/v1/ws/"u8;

    public RouteKind Kind { get; private init; }

    /// <summary>What is wrong with the request.</summary>
    public RefusalReason Fault { get; private init; }

    /// <summary>What stands for the channel in the path, unchecked; empty for a new channel.</summary>
    public ReadOnlySpan<byte> ChannelId { get; private init; }

    /// <summary>Finds out where a well-formed request leads.</summary>
    public static ChannelRoute Of(in RequestHead head)
    {
        bool isChannel = head.Path.StartsWith(Prefix) && !head.Path[Prefix.Length..].Contains((byte)'/');
        if (!isChannel)
            return default;
        RefusalReason fault = UpgradeRequest.Judge(head) switch
        {
            UpgradeVerdict.MethodNotAllowed => RefusalReason.Method,
            UpgradeVerdict.UpgradeRequired => RefusalReason.NoUpgrade,
            UpgradeVerdict.BadRequest => RefusalReason.Handshake,
            _ => RefusalReason.None,
        };
        return fault == RefusalReason.None
            ? new ChannelRoute { Kind = RouteKind.Upgrade, ChannelId = head.Path[Prefix.Length..] }
            : new ChannelRoute { Kind = RouteKind.Refuse, Fault = fault };
    }

    /// <summary>What is wrong with a head that could not be read.</summary>
    public static RefusalReason FaultOf(HeadStatus status) =>
        status == HeadStatus.TooLarge ? RefusalReason.HeadTooLarge : RefusalReason.MalformedHead;
}
