using System.Buffers.Binary;
using System.Buffers.Text;
using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>What happens to the frames of clients.</summary>
internal sealed partial class Shard
{
    /// <summary>Digits of the longest number of an envelope.</summary>
    private const int MaxDigits = 10;

    /// <summary>Whether seats outlive their sockets, so that envelopes are kept until the client is known to have them.</summary>
    private bool KeepsEnvelopes => limits.ResumeWindow > TimeSpan.Zero;

    private void Handle(Session session, FrameEvent found, Span<byte> payload)
    {
        switch (found)
        {
            case FrameEvent.Text:
                Relay(session.Seat!, MessageText.Trim(payload));
                return;
            case FrameEvent.Fragment:
                return;
            case FrameEvent.Ping:
                HandlePing(session, payload);
                return;
            case FrameEvent.Pong:
                HandlePong(session, payload);
                return;
            case FrameEvent.Close:
                End(session, EndReason.ClientClosed, payload.IsEmpty ? CloseCode.Normal : BinaryPrimitives.ReadUInt16BigEndian(payload));
                return;
            default:
                session.IsGarbled = true;
                End(session, Fault(found));
                return;
        }
    }

    /// <summary>The whole purpose: one message, to everyone in the channel but its sender.</summary>
    private void Relay(Seat sender, ReadOnlySpan<byte> text)
    {
        Channel channel = sender.Channel;
        if (!channel.HasMet && channel.Kept.Octets + text.Length > Share)
        {
            End(sender.Session!, EndReason.TryAgainLater);
            return;
        }
        EndReason limit = channel.Count(sender, text.Length, limits);
        if (limit == EndReason.KeptFull)
        {
            End(sender.Session!, limit);
            return;
        }
        if (limit != EndReason.None)
        {
            EndChannel(channel, limit);
            return;
        }
        if (sender.Version == ProtocolVersion.Two)
            Touch(sender.Session!);
        if (!channel.HasMet)
        {
            channel.Kept.Append(text, _kept);
            return;
        }

        _holdsNewsBack = true;
        byte[]? encodedFor = null;
        ReadOnlySpan<byte> envelope = default;
        for (Seat? receiver = channel.FirstSeat; receiver is not null; receiver = receiver.Next)
        {
            // A seat may be given up on the way; it still leads to the next one.
            if (receiver == sender || receiver.IsGone)
                continue;
            byte[] description = sender.Sender.ReadBy(receiver.Languages);
            if (receiver.Version == ProtocolVersion.Two)
            {
                Send(receiver, _frames.Message(receiver.Numbered + 1, sender, text, description));
                continue;
            }
            if (!ReferenceEquals(description, encodedFor))
            {
                envelope = _envelope.Encode(text, description);
                encodedFor = description;
            }
            Send(receiver, envelope);
        }
        TellNews();
    }

    /// <summary>
    /// Gives an envelope to a seat: queues it, and keeps it until the client is known to have it. A session whose queue is full is ended, so that its
    /// peers need not wait for it.
    /// </summary>
    private void Send(Seat seat, ReadOnlySpan<byte> envelope)
    {
        Session? session = seat.Session;
        if (session is not null && !HasRoom(session, envelope.Length))
            return;
        if (KeepsEnvelopes && !TryKeep(seat, envelope))
            return;
        seat.Numbered++;
        if (session is not null)
            Queue(session, envelope);
    }

    private void Queue(Session session, ReadOnlySpan<byte> frame)
    {
        session.Outbox.AppendFrame(frame, _buffers);
        Touch(session);
        _isUnderPressure |= WantsFlush(session);
    }

    /// <summary>
    /// Keeps an envelope with its seat. What a held seat cannot keep would be lost, so the seat is given up instead. A client that is there only takes its
    /// time to say what it has: an end would be worse than a gap in what can be resumed.
    /// </summary>
    /// <returns>Whether there still is a seat.</returns>
    private bool TryKeep(Seat seat, ReadOnlySpan<byte> envelope)
    {
        bool exceedsShare = seat.Backlog.Octets + envelope.Length > Share;
        if (seat.Session is null && (exceedsShare || seat.Backlog.IsFull(limits)))
        {
            seat.Channel.HasDropped = true;
            GiveUpHeld(seat);
            return false;
        }
        if (exceedsShare)
        {
            seat.Backlog.Clear(_kept);
            return true;
        }
        // What the socket has not taken is not let go: the client cannot have it. The queue has its own bound.
        while (seat.Backlog.IsFull(limits) && seat.Backlog.Count > (seat.Session?.Outbox.Messages ?? 0))
            seat.Backlog.Drop(1, _kept);
        seat.Backlog.Append(envelope, _kept);
        return true;
    }

    /// <summary>The first who joins gets what was said before.</summary>
    private void GiveKept(Seat opener, Seat newcomer)
    {
        int offset = 0;
        while (opener.Channel.Kept.TryNext(ref offset, out ReadOnlySpan<byte> text))
        {
            byte[] description = opener.Sender.ReadBy(newcomer.Languages);
            ReadOnlySpan<byte> envelope = newcomer.Version == ProtocolVersion.Two
                ? _frames.Message(newcomer.Numbered + 1, opener, text, description)
                : _envelope.Encode(text, description);
            // Not by way of Send: what was kept within a queue's limits may fill the queue.
            if (KeepsEnvelopes)
                newcomer.Backlog.Append(envelope, _kept);
            newcomer.Numbered++;
            Queue(newcomer.Session!, envelope);
        }
        opener.Channel.Kept.Clear(_kept);
    }

    /// <summary>Adds what belongs behind the frames that leave in one write: what was accepted, and the ping that asks what has arrived.</summary>
    private void Seal(Session session, Seat seat)
    {
        // While a write is stuck nothing leaves: one count behind it tells as much as many, and many would be bounded by nothing.
        if (!session.IsStalled)
            TellAccepted(session, seat);
        if (KeepsEnvelopes && seat.Pinged != seat.Numbered)
            PingFor(session, seat, seat.Numbered);
    }

    /// <summary>Tells a client of version 2 how many of its messages were accepted, if it does not know.</summary>
    private void TellAccepted(Session session, Seat seat)
    {
        if (session.Version != ProtocolVersion.Two || session.AcceptedTold == seat.Accepted)
            return;
        session.AcceptedTold = seat.Accepted;
        session.Outbox.AppendFrame(_frames.Ack(seat.Accepted), _buffers);
    }

    /// <summary>Asks the client to acknowledge all envelopes up to a number: its pong comes behind them.</summary>
    private void PingFor(Session session, Seat seat, int number)
    {
        Span<byte> digits = stackalloc byte[MaxDigits];
        Utf8Formatter.TryFormat(number, digits, out int length);
        session.Outbox.AppendControl(Opcode.Ping, digits[..length], _buffers);
        seat.Pinged = number;
    }

    private void HandlePing(Session session, ReadOnlySpan<byte> payload)
    {
        if (!TrySpend(session, payload.Length))
            return;
        if (session.Outbox.Octets >= limits.OutboundOctets)
        {
            End(session, EndReason.SlowConsumer);
            return;
        }
        if (ExceedsShare(session, payload.Length))
        {
            End(session, EndReason.TryAgainLater);
            return;
        }
        session.Outbox.AppendControl(Opcode.Pong, payload, _buffers);
        Touch(session);
        _isUnderPressure |= WantsFlush(session);
    }

    private void HandlePong(Session session, ReadOnlySpan<byte> payload)
    {
        Seat seat = session.Seat!;
        bool acknowledges = KeepsEnvelopes & TryReadNumber(payload, out long number);
        if (acknowledges && number > seat.Pinged)
        {
            End(session, EndReason.ProtocolError);
            return;
        }
        bool isNews = acknowledges && number > seat.Acknowledged;
        // An acknowledgement with news answers an envelope of a peer's, so it is no flood of this client's.
        if (!isNews && !TrySpend(session, payload.Length))
            return;
        if (acknowledges)
            Acknowledge(session, seat, (int)number);
    }

    /// <summary>
    /// A client that was slow to answer, and so was ended, still answers pings before it answers the close. What it acknowledges there need not be sent again.
    /// </summary>
    private void HandleLatePong(Session session, ReadOnlySpan<byte> payload)
    {
        if (session.Hold is { } hold && hold.Seat.Hold == hold && TryReadNumber(payload, out long number) && number <= hold.Seat.Pinged)
            Acknowledge(session, hold.Seat, (int)number);
    }

    private void Acknowledge(Session session, Seat seat, int number)
    {
        if (number >= session.DoubtsGreetingFrom)
        {
            session.DoubtsGreetingFrom = null;
            seat.EarlierToken = default;
        }
        seat.Acknowledge(number, _kept);
    }

    /// <summary>Charges a control frame; false when that ended the session.</summary>
    private bool TrySpend(Session session, int payload)
    {
        // A client frame's header is 6 octets when the payload is short.
        if (session.Control.TrySpend(6 + payload, Now, limits))
            return true;
        End(session, EndReason.ControlRate);
        return false;
    }

    /// <summary>Reads what <see cref="PingFor"/> writes; anything else is a pong that nobody asked for.</summary>
    private static bool TryReadNumber(ReadOnlySpan<byte> payload, out long number)
    {
        number = 0;
        bool isNumber = payload.Length is > 0 and <= MaxDigits && !payload.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            && (payload[0] != '0' || payload.Length == 1);
        return isNumber && Utf8Parser.TryParse(payload, out number, out _);
    }

    /// <summary>Whether so much waits for a session that its driver does well to write before anything else is handed in.</summary>
    public static bool WantsFlush(Session session) => session.Outbox.Messages >= PressureMessages || session.Outbox.Octets >= PressureOctets;

    private static EndReason Fault(FrameEvent found) => found switch
    {
        FrameEvent.InvalidUtf8 => EndReason.InvalidUtf8,
        FrameEvent.TooBig => EndReason.MessageTooBig,
        FrameEvent.TooManyFragments => EndReason.TooManyFragments,
        FrameEvent.BinaryRefused => EndReason.BinaryMessage,
        _ => EndReason.ProtocolError,
    };
}
