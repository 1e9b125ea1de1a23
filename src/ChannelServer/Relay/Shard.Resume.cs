namespace ChannelServer.Relay;

/// <summary>Seats that outlive their sockets.</summary>
internal sealed partial class Shard
{
    /// <summary>Gives a session that has just begun the seat that it claims, or tells it that it does not get it.</summary>
    /// <param name="session">A new session.</param>
    /// <param name="id">What stands for the channel in the path; anything.</param>
    /// <param name="visitor">Who it is, with a claim.</param>
    /// <param name="head">Bytes to send before all frames: the upgrade response.</param>
    public void Resume(Session session, ReadOnlySpan<byte> id, in Visitor visitor, ReadOnlySpan<byte> head)
    {
        ResumeClaim claim = visitor.Claim!.Value;
        if (Claimed(id, visitor) is not { } seat || !CanReplay(seat, claim))
        {
            Refuse(session, visitor, head, EndReason.ResumeRefused);
            return;
        }
        try
        {
            TakeSeat(session, visitor, head, seat, claim);
        }
#pragma warning disable CA1031 // A bug met by one channel must cost no other channel anything.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            Fail(session, bug, seat.Channel);
        }
    }

    private void TakeSeat(Session session, in Visitor visitor, ReadOnlySpan<byte> head, Seat seat, in ResumeClaim claim)
    {
        seat.Acknowledge(claim.Received ?? 0, _kept);
        // Who comes with the earlier token has not shown that the latest ever arrived, so it is offered again.
        if (claim.Token.Matches(seat.Token))
        {
            seat.EarlierToken = seat.Token;
            seat.Token = DrawToken();
        }
        if (seat.Session is { } earlier)
            End(earlier, EndReason.TakenOver);
        else
            Release(seat, resumed: true);
        seat.Channel.HasResumed = true;
        Begin(session, visitor, head, seat, SessionStart.Resumed);
        Replay(session, seat);
        Announce(seat, PeerState.Back);
    }

    /// <summary>
    /// The live session that a claim would take over, or null. A driver hands in what that has received before it calls <see cref="Resume"/>: it
    /// arrived first.
    /// </summary>
    public Session? Predecessor(ReadOnlySpan<byte> id, in Visitor visitor) => visitor.Claim is null ? null : Claimed(id, visitor)?.Session;

    private Seat? Claimed(ReadOnlySpan<byte> id, in Visitor visitor)
    {
        ResumeClaim claim = visitor.Claim!.Value;
        if (!KeepsEnvelopes || !claim.IsValid || !ChannelId.TryParse(id, out ChannelId channelId) || !_channels.TryGetValue(channelId, out Channel? channel))
            return null;
        Seat? seat = channel.SeatOf(claim.Token);
        return seat?.Version == visitor.Version ? seat : null;
    }

    /// <summary>Whether the seat has all that the client lacks, and the client cannot have more than it was sent.</summary>
    private static bool CanReplay(Seat seat, in ResumeClaim claim)
    {
        int received = claim.Received ?? seat.Acknowledged;
        return received >= seat.LetGo && received <= seat.Pinged;
    }

    /// <summary>
    /// Sends again what the client is not known to have. Behind the greeting, and behind each envelope, stands a ping: a connection that has
    /// just been lost is easily lost again, and each pong ends a doubt.
    /// </summary>
    private void Replay(Session session, Seat seat)
    {
        int number = seat.LetGo;
        session.DoubtsGreetingFrom = number;
        PingFor(session, seat, number);
        int offset = 0;
        for (ReadOnlySpan<byte> envelope = seat.Backlog.Next(ref offset); !envelope.IsEmpty; envelope = seat.Backlog.Next(ref offset))
        {
            Queue(session, envelope);
            PingFor(session, seat, ++number);
        }
        if (seat.Backlog.Count > 0)
            _observer.Replayed(seat.Backlog.Count);
    }

    /// <summary>A key for a seat; none where no seat is held.</summary>
    private ResumeToken DrawToken()
    {
        if (!KeepsEnvelopes)
            return default;
        Span<byte> octets = stackalloc byte[ResumeToken.Octets];
        random(octets);
        return new ResumeToken(octets);
    }

    /// <summary>Holds the seat of a session that was lost.</summary>
    private SeatHold HoldSeat(Seat seat, EndReason reason)
    {
        SeatHold hold = new(seat, reason);
        seat.Hold = hold;
        _holds.Append(hold, Now + limits.ResumeWindow);
        HeldCount++;
        _observer.SeatHeld();
        Announce(seat, PeerState.Away);
        return hold;
    }

    /// <summary>The one place where a seat stops being held.</summary>
    private void Release(Seat seat, bool resumed)
    {
        DeadlineList<SeatHold, SeatHold.Window>.Remove(seat.Hold!);
        seat.Hold = null;
        HeldCount--;
        _observer.SeatReleased(resumed);
    }

    private void GiveUpHeld(Seat seat)
    {
        EndReason reason = seat.Hold!.EndedBy;
        Release(seat, resumed: false);
        GiveUp(seat, reason);
    }
}
