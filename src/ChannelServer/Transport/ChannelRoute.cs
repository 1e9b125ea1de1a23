using ChannelServer.WebSockets;

namespace ChannelServer.Transport;

/// <summary>What a driver does with a request.</summary>
internal enum RouteKind
{
    /// <summary>It is for the HTTP server behind the drivers.</summary>
    Elsewhere,

    /// <summary>It wants a channel, but wrongly: answer <see cref="ChannelRoute.Status"/> and close.</summary>
    Answer,

    /// <summary>It becomes a session.</summary>
    Upgrade,
}

/// <summary>Where a request head leads. Valid as long as the head's bytes are.</summary>
internal readonly ref struct ChannelRoute
{
    private static ReadOnlySpan<byte> Prefix => "/v1/ws/"u8;

    public RouteKind Kind { get; private init; }

    /// <summary>The HTTP status of an answer.</summary>
    public int Status { get; private init; }

    /// <summary>What stands for the channel in the path, unchecked; empty for a new channel.</summary>
    public ReadOnlySpan<byte> ChannelId { get; private init; }

    /// <summary>Finds out where a well-formed request leads.</summary>
    public static ChannelRoute Of(in RequestHead head)
    {
        bool isChannel = head.Path.StartsWith(Prefix) && !head.Path[Prefix.Length..].Contains((byte)'/');
        if (!isChannel)
            return default;
        int status = UpgradeRequest.Judge(head) switch
        {
            UpgradeVerdict.MethodNotAllowed => 405,
            UpgradeVerdict.UpgradeRequired => 426,
            UpgradeVerdict.BadRequest => 400,
            _ => 101,
        };
        return status == 101
            ? new ChannelRoute { Kind = RouteKind.Upgrade, Status = status, ChannelId = head.Path[Prefix.Length..] }
            : new ChannelRoute { Kind = RouteKind.Answer, Status = status };
    }

    /// <summary>The status that answers a head which could not be read.</summary>
    public static int StatusOf(HeadStatus status) => status == HeadStatus.TooLarge ? 431 : 400;
}
