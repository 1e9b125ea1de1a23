using System.Net;
using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>
/// One participant's place in a channel. It outlives its sockets: while it is held, its client may come back. Seats of a channel link each
/// other, in the order in which they were taken.
/// </summary>
/// <param name="channel">The channel.</param>
/// <param name="number">Its number in the channel, from 1: what version 2 calls the peer's short id.</param>
/// <param name="version">What its client understands.</param>
internal sealed class Seat(Channel channel, int number, ProtocolVersion version)
{
    /// <summary>The envelopes that the client is not known to have.</summary>
    internal Backlog Backlog;

    public Channel Channel { get; } = channel;

    public int Number { get; } = number;

    public ProtocolVersion Version { get; } = version;

    /// <summary>Whether it has been given up. A seat that is gone still leads to the next one, for whoever walks along.</summary>
    public bool IsGone { get; set; }

    /// <summary>The socket of the participant; null while the seat is held, and when it is gone.</summary>
    public Session? Session { get; set; }

    /// <summary>Set while it is held.</summary>
    public SeatHold? Hold { get; set; }

    public Seat? Next { get; set; }

    /// <summary>What the peers are told about the client, by its latest request.</summary>
    public SenderMetadata Sender { get; private set; } = SenderMetadata.Empty;

    /// <summary>The languages in which the client reads, by its latest request.</summary>
    public LanguagePriorityList Languages { get; private set; } = LanguagePriorityList.None;

    /// <summary>The client's address, by its latest request; null when it is not known.</summary>
    public IPAddress? Address { get; private set; }

    /// <summary>The key of the latest greeting.</summary>
    public ResumeToken Token { get; set; }

    /// <summary>The key before that, until the client is known to hold <see cref="Token"/>; then none.</summary>
    public ResumeToken EarlierToken { get; set; }

    /// <summary>Messages of this seat that the server has accepted.</summary>
    public int Accepted { get; set; }

    /// <summary>The number of the latest envelope for this seat; they count from 1.</summary>
    public int Numbered { get; set; }

    /// <summary>The number of the latest envelope behind which a ping has been queued: the client may acknowledge up to here.</summary>
    public int Pinged { get; set; }

    /// <summary>The number up to which the client is known to have all envelopes.</summary>
    public int Acknowledged { get; private set; }

    /// <summary>The number before the oldest envelope that can still be replayed.</summary>
    public int LetGo => Numbered - Backlog.Count;

    public void Describe(in Visitor visitor)
    {
        Sender = visitor.Sender;
        Languages = visitor.Languages;
        Address = visitor.Address;
    }

    /// <summary>Whether a client that presents a token may have the seat. Compares both, whatever the first says.</summary>
    public bool Opens(in ResumeToken token) => Token.Matches(token) | EarlierToken.Matches(token);

    /// <summary>The client has all envelopes up to a number; those need not be kept.</summary>
    public void Acknowledge(int number, BufferPool pool)
    {
        if (number <= Acknowledged)
            return;
        Acknowledged = number;
        if (number > LetGo)
            Backlog.Drop(number - LetGo, pool);
    }
}
