using System.Diagnostics;

namespace ChannelServer.Relay;

/// <summary>
/// Why a session ended, or never began. Every end has exactly one; the close frame, the metric and the log line are derived from
/// it here and nowhere else.
/// </summary>
internal enum EndReason : byte
{
    /// <summary>It has not ended.</summary>
    None,

    /// <summary>The client closed with a close frame; its code is echoed.</summary>
    ClientClosed,

    /// <summary>The connection went away without a close frame: end of stream, reset, or unreachable.</summary>
    Disconnected,

    /// <summary>The server is stopping.</summary>
    ServerShutdown,

    /// <summary>The server is stopping and the channel can be resumed elsewhere.</summary>
    ServiceRestart,

    /// <summary>The client broke RFC 6455.</summary>
    ProtocolError,

    /// <summary>A text or a close reason was not UTF-8.</summary>
    InvalidUtf8,

    /// <summary>The client sent a binary message.</summary>
    BinaryMessage,

    /// <summary>The client did not read: its queue was full or a write was stuck.</summary>
    SlowConsumer,

    /// <summary>The client flooded the server with control frames.</summary>
    ControlRate,

    /// <summary>The client cut one message into too many fragments, or took too long over it.</summary>
    TooManyFragments,

    /// <summary>One message was larger than <see cref="Limits.MaxMessage"/>.</summary>
    MessageTooBig,

    /// <summary>A bug of ours. It ends one channel and no other.</summary>
    InternalError,

    /// <summary>The server cannot serve the channel now.</summary>
    TryAgainLater,

    /// <summary>A resume with a wrong or spent token, or after the window.</summary>
    ResumeRefused,

    /// <summary>The client came back on another connection, and its seat with it.</summary>
    TakenOver,

    /// <summary>The client sent more than is kept for a peer who has not come yet.</summary>
    KeptFull,

    /// <summary>No such channel, or no longer.</summary>
    ChannelUnavailable,

    /// <summary>The channel takes no newcomer from this address. The wire says the same as for an unknown channel: no oracle.</summary>
    AddressUnknown,

    /// <summary>No frame from the client for <see cref="Limits.ClientTimeout"/>.</summary>
    ClientTimeout,

    /// <summary>All seats of the channel are taken.</summary>
    ChannelFull,

    /// <summary>The channel reached <see cref="Limits.ConnLifespan"/>.</summary>
    ChannelExpired,

    /// <summary>The channel reached <see cref="Limits.MaxData"/>.</summary>
    DataLimit,

    /// <summary>The channel reached <see cref="Limits.MaxExchanges"/>.</summary>
    ExchangeLimit,
}

/// <summary>The projections of an <see cref="EndReason"/>.</summary>
internal static class EndReasons
{
    /// <summary>The close code that the client gets; 0 where there is nobody to tell. For <see cref="EndReason.ClientClosed"/> the
    /// code to answer with when the client gave none.</summary>
    public static ushort Code(this EndReason reason) => Row(reason).Code;

    /// <summary>The text of the close frame, in UTF-8; may be empty.</summary>
    public static ReadOnlySpan<byte> Text(this EndReason reason) => Row(reason).Text;

    /// <summary>The word for metrics and logs: lower case, stable.</summary>
    public static string Tag(this EndReason reason) => Row(reason).Tag;

    /// <summary>Whether the client does well to try again.</summary>
    public static bool Retry(this EndReason reason) => reason
        is EndReason.ServerShutdown or EndReason.ServiceRestart or EndReason.InternalError or EndReason.TryAgainLater
        or EndReason.ClientTimeout;

    /// <summary>Whether a session that ended so leaves its seat held, for its client to come back.</summary>
    internal static bool HoldsSeat(this EndReason reason) => reason is EndReason.Disconnected or EndReason.ClientTimeout;

    private static Projection Row(EndReason reason) => reason switch
    {
        EndReason.None => new(0, "none", ""u8),
        EndReason.ClientClosed => new(1000, "client_closed", ""u8),
        EndReason.Disconnected => new(0, "disconnected", ""u8),
        EndReason.ServerShutdown => new(1001, "server_shutdown", "server shutdown"u8),
        EndReason.ServiceRestart => new(1012, "service_restart", "service restart"u8),
        EndReason.ProtocolError => new(1002, "protocol_error", "protocol error"u8),
        EndReason.InvalidUtf8 => new(1007, "invalid_utf8", "invalid utf-8"u8),
        EndReason.BinaryMessage => new(1003, "binary_message", "text only"u8),
        EndReason.SlowConsumer => new(1008, "slow_consumer", "slow consumer"u8),
        EndReason.ControlRate => new(1008, "control_rate", "rate"u8),
        EndReason.TooManyFragments => new(1008, "fragments", "fragments"u8),
        EndReason.MessageTooBig => new(1009, "message_too_big", "message too big"u8),
        EndReason.InternalError => new(1011, "internal_error", "internal error"u8),
        EndReason.TryAgainLater => new(1013, "try_again_later", "try again later"u8),
        EndReason.ResumeRefused => new(4401, "resume_refused", "resume refused"u8),
        EndReason.TakenOver => new(4401, "taken_over", "resume refused"u8),
        EndReason.KeptFull => new(1008, "kept_full", "rate"u8),
        EndReason.ChannelUnavailable => new(4404, "channel_unavailable", "channel unavailable"u8),
        EndReason.AddressUnknown => new(4404, "address_unknown", "channel unavailable"u8),
        EndReason.ClientTimeout => new(4408, "client_timeout", "client timeout"u8),
        EndReason.ChannelFull => new(4409, "channel_full", "channel full"u8),
        EndReason.ChannelExpired => new(4410, "channel_expired", "channel expired"u8),
        EndReason.DataLimit => new(4413, "data_limit", "data limit"u8),
        EndReason.ExchangeLimit => new(4429, "exchange_limit", "exchange limit"u8),
        _ => throw new UnreachableException($"No projection for {reason}"),
    };

    private readonly ref struct Projection(ushort code, string tag, ReadOnlySpan<byte> text)
    {
        public ushort Code { get; } = code;
        public string Tag { get; } = tag;
        public ReadOnlySpan<byte> Text { get; } = text;
    }
}
