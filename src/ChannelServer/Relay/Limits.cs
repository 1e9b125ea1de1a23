namespace ChannelServer.Relay;

/// <summary>Every limit that the relay keeps. Immutable; one for all shards.</summary>
internal sealed record Limits
{
    /// <summary>Seats of a channel, live and held together. At least 1.</summary>
    public int MaxChannelConnections { get; init; } = 3;

    /// <summary>Messages relayed through a channel, all senders together. 0 means no limit.</summary>
    public int MaxExchanges { get; init; } = 10;

    /// <summary>Octets of message text relayed through a channel, all senders together. 0 means no limit.</summary>
    public long MaxData { get; init; }

    /// <summary>Octets of one message as received, whole or fragmented. At least 1.</summary>
    public int MaxMessage { get; init; } = 65536;

    /// <summary>How long a channel lives from its opening, whatever happens in it. Zero means no limit.</summary>
    public TimeSpan ConnLifespan { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>How long a session may go without any frame from its client. Only kept when <see cref="Heartbeat"/> is not zero.</summary>
    public TimeSpan ClientTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often each client is pinged. Zero means no pings, and no client timeout either.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a seat is held for a client whose connection was lost, each time anew, within <see cref="ConnLifespan"/>. Zero means that
    /// no seat is held, and no client is given a token.
    /// </summary>
    public TimeSpan ResumeWindow { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long before its end a channel tells its version 2 clients. Not told when the whole lifespan is no longer than that.</summary>
    public TimeSpan ExpiryNotice { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Octets that may wait for a slow receiver; a queue that already holds as many is full.</summary>
    public int OutboundOctets { get; init; } = 256 * 1024;

    /// <summary>Messages that may wait for a slow receiver; a queue that already holds as many is full.</summary>
    public int OutboundMessages { get; init; } = 64;

    /// <summary>
    /// Octets of buffers that all sessions and seats of one shard hold together before each is bounded to an equal share of them: messages under way,
    /// what waits for slow receivers, what is kept for lost ones. 0 means no limit.
    /// </summary>
    public long BufferedOctets { get; init; }

    /// <summary>How long a write may be stuck without one octet of progress.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Fragments of one message.</summary>
    public int MaxFragments { get; init; } = 64;

    /// <summary>
    /// How long a message may take from its first octet to its last. Looked at with each ping, so it may last up to a
    /// <see cref="Heartbeat"/> longer, and is only kept when that is not zero. Zero means no limit.
    /// </summary>
    public TimeSpan MessageTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Octets of control frames, headers included, that a client may send per second in the long run.</summary>
    public int ControlOctetsPerSecond { get; init; } = 16 * 1024;

    /// <summary>Octets of control frames that a client may send at once.</summary>
    public int ControlBurst { get; init; } = 128 * 1024;

    /// <summary>Octets that are read, and thrown away, behind the end of a session. More than what can be on its way.</summary>
    public int OctetsBehindEnd { get; init; } = 1024 * 1024;

    /// <summary>How long a session that has been told its end may take to close before it is cut.</summary>
    public TimeSpan CloseTimeout { get; init; } = TimeSpan.FromSeconds(2);
}
