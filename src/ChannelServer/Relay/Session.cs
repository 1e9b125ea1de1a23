using System.Net;
using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>Where a session stands, and with it what its driver has to do.</summary>
internal enum SessionPhase : byte
{
    /// <summary>Read, and write what is unsent.</summary>
    Open,

    /// <summary>Write what is unsent, half-close, and read on until the client closes too.</summary>
    Lingering,

    /// <summary>Write what is unsent; the phase after that is <see cref="Finished"/>.</summary>
    Leaving,

    /// <summary>Release the socket now. The shard has forgotten the session.</summary>
    Finished,
}

/// <summary>
/// The life of one socket, as the core sees it. A driver derives from it to keep its socket in the same object, and reads here what
/// it has to do whenever the shard reports the session as touched. Belongs to one shard, and so to one thread at a time.
/// </summary>
internal class Session
{
    internal DeadlineLink<Session> PulseLink;
    internal DeadlineLink<Session> SilenceLink;
    internal FrameReader Reader;
    internal Outbox Outbox;
    internal ControlBudget Control;

    /// <summary>The client's address; null when it is not known. Until the session has a seat, that of the connection's other end.</summary>
    public IPAddress? Address { get; protected set; }

    public SessionPhase Phase { get; internal set; }

    /// <summary>What is to be written, in order.</summary>
    public ReadOnlySpan<byte> Unsent => Outbox.Unsent;

    /// <summary>Why it ended; <see cref="EndReason.None"/> as long as it has not.</summary>
    public EndReason EndedBy { get; internal set; }

    /// <summary>The seat; null before the session has one and after it left it.</summary>
    internal Seat? Seat { get; set; }

    /// <summary>What holds the seat that it left; null when none does, or none was held for it.</summary>
    internal SeatHold? Hold { get; set; }

    /// <summary>What the client understands.</summary>
    public ProtocolVersion Version { get; private set; }

    internal TimeSpan Began { get; set; }

    /// <summary>Messages of the seat that had been accepted when this session took it.</summary>
    internal int AcceptedBefore { get; set; }

    /// <summary>Messages of the seat that the client has been told are accepted, where it is told.</summary>
    internal int AcceptedTold { get; set; }

    /// <summary>
    /// The number in the ping behind the greeting of a resumed session, as long as no pong to it or a later one has come: until then the
    /// client may not have the greeting. Null when there is no such doubt.
    /// </summary>
    internal int? DoubtsGreetingFrom { get; set; }

    /// <summary>Octets received since the session was told its end.</summary>
    internal int BehindEnd { get; set; }

    /// <summary>Whether it stands among the touched sessions of its shard.</summary>
    internal bool IsTouched { get; set; }

    /// <summary>Whether the socket did not accept all that was written to it.</summary>
    internal bool IsStalled { get; set; }

    /// <summary>Whether its bytes make no sense any more, so that nothing in them is looked at.</summary>
    internal bool IsGarbled { get; set; }

    internal void Introduce(in Visitor visitor)
    {
        Address = visitor.Address;
        Version = visitor.Version;
    }

    /// <summary>For the lists of which a session stands in one: heartbeats, stalled writes, closings.</summary>
    internal readonly struct Pulse : IDeadlineLink<Session>
    {
        public static ref DeadlineLink<Session> Of(Session item) => ref item.PulseLink;
    }

    /// <summary>For the list of client timeouts.</summary>
    internal readonly struct Silence : IDeadlineLink<Session>
    {
        public static ref DeadlineLink<Session> Of(Session item) => ref item.SilenceLink;
    }
}

/// <summary>Who wants a seat: the facts of an upgrade request, parsed at the edge.</summary>
/// <param name="Address">The client's address; null when it is not known.</param>
/// <param name="Sender">What the peers are told.</param>
/// <param name="Languages">In which languages the client reads.</param>
internal readonly record struct Visitor(IPAddress? Address, SenderMetadata Sender, LanguagePriorityList Languages)
{
    /// <summary>What the client understands.</summary>
    public ProtocolVersion Version { get; init; }

    /// <summary>The seat that it wants back; null for a new one.</summary>
    public ResumeClaim? Claim { get; init; }
}
