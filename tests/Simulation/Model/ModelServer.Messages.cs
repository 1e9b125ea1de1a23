using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>What clients say, and what becomes of it.</summary>
internal sealed partial class ModelServer
{
    private void Handle(ModelSession session, Completed completed)
    {
        NoteLife(session);
        byte[] payload = session.Stream!.Payload;
        switch (completed)
        {
            case Completed.Text:
                Relay(session, ModelText.Trim(payload));
                return;
            case Completed.Ping or Completed.Pong:
                HandleControl(session, completed, payload);
                return;
            case Completed.Close:
                ushort code = payload.Length == 0 ? (ushort)1000 : (ushort)((payload[0] << 8) | payload[1]);
                TellAccepted(session);
                Retire(session, EndReason.ClientClosed, session.IsDeaf ? (ushort)0 : code);
                if (session.IsDeaf)
                    Finish(session);
                else
                    Close(session, code, "", SessionPhase.Leaving);
                return;
            case Completed.Broken:
                End(session, session.Stream.Fault);
                return;
            default:
                return;
        }
    }

    private void Relay(ModelSession sender, byte[] text)
    {
        ModelSeat from = sender.Seat!;
        ModelChannel channel = from.Channel;
        bool isAlone = channel.Joins == 1;
        if (isAlone && OctetsOf(channel.Untold) + text.Length > Share)
        {
            tally.Meet(Rarity.UntoldShed);
            End(sender, EndReason.TryAgainLater);
            return;
        }
        if (limits.MaxExchanges > 0 && channel.Exchanges == limits.MaxExchanges)
        {
            EndChannel(channel, EndReason.ExchangeLimit);
            return;
        }
        if (limits.MaxData > 0 && channel.Octets + text.Length > limits.MaxData)
        {
            EndChannel(channel, EndReason.DataLimit);
            return;
        }
        if (isAlone && IsFull(channel.Untold.Count, OctetsOf(channel.Untold)))
        {
            End(sender, EndReason.KeptFull);
            return;
        }
        channel.Exchanges++;
        channel.Octets += text.Length;
        sender.Accepted++;
        from.Accepted++;
        if (from.Version == ProtocolVersion.Two)
            NoteChange(sender);
        if (isAlone)
            channel.Untold.Add(text);
        _isBusy = true;
        foreach (ModelSeat seat in channel.Seats.ToArray())
        {
            // Whoever was still there when the message came may be gone by now.
            if (seat != from && channel.Seats.Contains(seat))
                Give(seat, from, text);
        }
        TellNews();
    }

    /// <summary>A message for a seat: its client sees it now, or when it is back.</summary>
    /// <param name="seat">The seat.</param>
    /// <param name="from">Whose message it is.</param>
    /// <param name="text">The message.</param>
    /// <param name="isBounded">Whether the limits of a queue hold; what was kept for the first who joins was within them before it had an envelope.</param>
    private void Give(ModelSeat seat, ModelSeat from, byte[] text, bool isBounded = true)
    {
        byte[] sender = from.Person.ReadBy(seat.Person.Languages);
        byte[] payload = seat.Version == ProtocolVersion.Two
            ? VersionTwo.Message(seat.Numbered + 1, from.Number, text, sender)
            : ModelText.Envelope(text, sender);
        ModelFrame frame = new(ModelFrame.Text, payload);
        if (isBounded && seat.Session is not null && !Takes(seat.Session, frame))
            return;
        if (isBounded && IsResumable && seat.Session is null && (IsBacklogFull(seat) || ExceedsShare(seat, frame)))
        {
            // A message would be lost.
            tally.Meet(Rarity.HeldSeatFull);
            seat.Channel.HasDropped = true;
            GiveUp(seat);
            return;
        }
        seat.Numbered++;
        if (seat.Version != from.Version)
            tally.Meet(Rarity.VersionsMixed);
        if (IsResumable)
            Keep(seat, new KeptEnvelope(seat.Numbered, frame), isBounded);
        if (seat.Session is not null)
            Send(seat.Session, ModelFrame.Text, payload);
    }

    /// <summary>Keeps an envelope, and lets go what a client that is there is most likely to have.</summary>
    private void Keep(ModelSeat seat, KeptEnvelope envelope, bool isBounded)
    {
        if (isBounded && ExceedsShare(seat, envelope.Frame))
        {
            tally.Meet(Rarity.BacklogShed);
            seat.Kept.Clear();
            return;
        }
        // What the client cannot have yet is not let go.
        while (isBounded && IsBacklogFull(seat) && seat.Kept.Count > seat.Session!.PendingMessages)
        {
            tally.Meet(Rarity.OldestLetGo);
            seat.Kept.RemoveAt(0);
        }
        seat.Kept.Add(envelope);
    }

    private static int OctetsOf(List<byte[]> untold) => untold.Sum(text => ModelText.Escape(text).Count);

    private static int OctetsOf(List<KeptEnvelope> kept) => kept.Sum(envelope => envelope.Frame.Size);

    private bool ExceedsShare(ModelSeat seat, ModelFrame frame) => OctetsOf(seat.Kept) > Share - frame.Size;

    private bool IsBacklogFull(ModelSeat seat) => IsFull(seat.Kept.Count, OctetsOf(seat.Kept));

    private bool IsFull(ModelSession session) => IsFull(session.PendingMessages, session.Pending);

    private bool IsFull(int messages, int octets) => messages >= limits.OutboundMessages || octets >= limits.OutboundOctets;

    private void HandleControl(ModelSession session, Completed completed, byte[] payload)
    {
        long number = -1;
        if (IsResumable && completed == Completed.Pong && ModelText.TryNumber(payload, out long told))
            number = told;
        // A pong with news answers an envelope, so its client is not to blame for it. The header of a client's control frame is 6 octets.
        if (number > session.Seat!.Pinged)
        {
            tally.Meet(Rarity.PongBeyondSent);
            End(session, EndReason.ProtocolError);
        }
        else if (number <= session.Seat.Acknowledged && !TrySpend(session, 6 + payload.Length))
            End(session, EndReason.ControlRate);
        else if (completed == Completed.Pong)
            Acknowledge(session, session.Seat, (int)number);
        else if (session.Pending >= limits.OutboundOctets)
            End(session, EndReason.SlowConsumer);
        else if (ExceedsShare(session, payload.Length))
            End(session, EndReason.TryAgainLater);
        else
            Send(session, ModelFrame.Pong, payload);
    }

    /// <summary>The bucket of control frames.</summary>
    private bool TrySpend(ModelSession session, int octets)
    {
        Int128 refilled = (Int128)(Now - session.ControlAt).Ticks * limits.ControlOctetsPerSecond;
        session.ControlAt = Now;
        session.ControlSpent = Int128.Max(0, session.ControlSpent - refilled);
        session.ControlSpent += (Int128)octets * TimeSpan.TicksPerSecond;
        return session.ControlSpent <= (Int128)limits.ControlBurst * TimeSpan.TicksPerSecond;
    }

    /// <summary>A pong behind the end: it counts while the seat waits for that very client.</summary>
    private void HandleLate(ModelSession session, byte[] payload)
    {
        if (session.LeftSeat is not { IsHeld: true } seat || seat.LastSession != session)
            return;
        if (ModelText.TryNumber(payload, out long number) && number <= seat.Pinged)
        {
            tally.Meet(Rarity.AcknowledgedBehindEnd);
            Acknowledge(session, seat, (int)number);
        }
    }

    /// <summary>Everything up to a number has arrived; a negative number is none.</summary>
    private void Acknowledge(ModelSession session, ModelSeat seat, int number)
    {
        seat.Acknowledge(number);
        if (seat.TokenBefore is null || session.GreetingPing < 0 || number < session.GreetingPing)
            return;
        tally.Meet(Rarity.TokenBeforeSpent);
        seat.TokenBefore = null;
    }

    private void Send(ModelSession session, int opcode, byte[] payload)
    {
        session.Queue(new ModelFrame(opcode, payload));
        NoteChange(session);
    }

    private void NoteChange(ModelSession session)
    {
        if (session.IsChanged)
            return;
        session.IsChanged = true;
        Changed.Add(session);
    }
}
