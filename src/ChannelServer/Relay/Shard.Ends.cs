namespace ChannelServer.Relay;

/// <summary>How sessions and channels begin and end.</summary>
internal sealed partial class Shard
{
    /// <summary>
    /// Ends the oldest channels, for a server that stops: what was accepted is still delivered, then every session is closed.
    /// </summary>
    /// <param name="reason">Why.</param>
    /// <param name="most">How many channels at most, so that a driver can flush in between.</param>
    /// <returns>Whether channels remain.</returns>
    public bool EndOldest(EndReason reason, int most)
    {
        while (most-- > 0 && (_lifespans.TryTakeFirst(out Channel channel) || _expiries.TryTakeFirst(out channel)))
            EndChannel(channel, reason);
        return ChannelCount > 0;
    }

    /// <summary>Begins a session on its seat. Whatever fails behind this, the session has an end.</summary>
    private void Begin(Session session, in Visitor visitor, ReadOnlySpan<byte> head, Seat seat, SessionStart start)
    {
        session.Introduce(visitor);
        session.Began = Now;
        session.Seat = seat;
        session.AcceptedBefore = session.AcceptedTold = seat.Accepted;
        seat.Session = session;
        seat.Describe(visitor);
        SessionCount++;
        _observer.SessionBegan(start);
        session.Outbox.AppendHead(head, _buffers);
        session.Outbox.AppendFrame(
            seat.Version == ProtocolVersion.Two
                ? _frames.GreetingOfTwo(seat, KeepsEnvelopes, limits, Now)
                : _frames.Greeting(seat, KeepsEnvelopes, isResumed: start == SessionStart.Resumed),
            _buffers);
        StartPulse(session);
        Touch(session);
    }

    /// <summary>Ends one session and tells the client.</summary>
    private void End(Session session, EndReason reason) => End(session, reason, reason.Code());

    private void End(Session session, EndReason reason, ushort code)
    {
        // Or the client could not tell what was accepted from what was refused. Whose seat is taken over learns it there.
        if (reason != EndReason.TakenOver)
            TellAccepted(session, session.Seat!);
        bool isTold = !session.Outbox.IsShut && !MustDrop(session, reason);
        Retire(session, reason, isTold ? code : (ushort)0);
        if (isTold)
            Close(session, reason, code);
        else
            Finish(session);
    }

    /// <summary>
    /// Whether what waits in a session's queue must not be sent any more, the close frame behind it included. Of a session that was taken over it is sent
    /// again on the other connection, and a client that reads both would have it twice. Where buffers are scarce it has to go at once.
    /// </summary>
    private static bool MustDrop(Session session, EndReason reason) =>
        reason == EndReason.TakenOver ? !session.Outbox.IsEmpty : reason == EndReason.TryAgainLater && session.IsStalled;

    /// <summary>Ends a session whose client is not there any more. It has no seat when a bug kept it from one.</summary>
    private void Vanish(Session session)
    {
        if (session.Seat is not null)
            Retire(session, EndReason.Disconnected, code: 0);
        Finish(session);
    }

    /// <summary>Ends every session of a channel, and the channel.</summary>
    private void EndChannel(Channel channel, EndReason reason)
    {
        channel.IsEnding = true;
        while (channel.FirstSeat is { } seat)
        {
            if (seat.Session is { } session)
            {
                End(session, reason);
                continue;
            }
            // It has neither when a bug was met on the way to it.
            if (seat.Hold is not null)
                Release(seat, resumed: false);
            GiveUp(seat, reason);
        }
    }

    /// <summary>A bug showed while this session was handled: its channel ends, and no other.</summary>
    /// <param name="session">The session.</param>
    /// <param name="bug">The bug.</param>
    /// <param name="channel">The channel that it was on its way to, where it may not have a seat yet.</param>
    private void Fail(Session session, Exception bug, Channel? channel = null)
    {
        session.IsGarbled = true;
        Fail(session.Seat?.Channel ?? channel, bug);
        if (session.Phase == SessionPhase.Open)
            Finish(session);
    }

    private void Fail(Channel? channel, Exception bug)
    {
        _observer.Failed(bug);
        ForgetNews();
        if (channel is { FirstSeat: not null })
            EndChannel(channel, EndReason.InternalError);
    }

    /// <summary>The one place where a session leaves its seat, and where its end is recorded.</summary>
    private void Retire(Session session, EndReason reason, ushort code)
    {
        Seat seat = session.Seat!;
        session.Seat = null;
        session.EndedBy = reason;
        seat.Session = null;
        SessionCount--;
        int accepted = seat.Accepted - session.AcceptedBefore;
        _observer.SessionEnded(new SessionEnd(reason, code, Now - session.Began, accepted, session.Address));
        if (reason.HoldsSeat() && KeepsEnvelopes)
            session.Hold = HoldSeat(seat, reason);
        else if (reason != EndReason.TakenOver)
            GiveUp(seat, reason);
    }

    /// <summary>The one place where a seat ends, and a channel with its last one.</summary>
    private void GiveUp(Seat seat, EndReason reason)
    {
        Channel channel = seat.Channel;
        seat.IsGone = true;
        seat.Backlog.Clear(_kept);
        channel.Leave(seat);
        if (channel.SeatCount == 0)
        {
            channel.Kept.Clear(_kept);
            _channels.Remove(channel.Id);
            DeadlineList<Channel, Channel.Lifespan>.Remove(channel);
            _observer.ChannelEnded(reason, channel.OutcomeOf(reason));
        }
        else if (!channel.IsEnding)
        {
            Announce(seat, PeerState.Left);
        }
    }

    private void Close(Session session, EndReason reason, ushort code)
    {
        if (session.Version == ProtocolVersion.Two && reason != EndReason.ClientClosed)
            session.Outbox.AppendFrame(_frames.End(reason), _buffers);
        session.Outbox.AppendClose(code, reason.Text(), _buffers);
        session.Phase = reason == EndReason.ClientClosed ? SessionPhase.Leaving : SessionPhase.Lingering;
        DeadlineList<Session, Session.Silence>.Remove(session);
        _closings.Append(session, Now + limits.CloseTimeout);
        Touch(session);
    }

    /// <summary>The client has closed too: what is unsent is all that is left to do.</summary>
    private void Leave(Session session)
    {
        session.Phase = SessionPhase.Leaving;
        Touch(session);
        if (session.Outbox.IsEmpty)
            Finish(session);
    }

    /// <summary>The one place where a session's buffers and deadlines are given back.</summary>
    private void Finish(Session session)
    {
        session.Phase = SessionPhase.Finished;
        session.Reader.Release(_partials);
        session.Outbox.Clear(_buffers);
        DeadlineList<Session, Session.Pulse>.Remove(session);
        DeadlineList<Session, Session.Silence>.Remove(session);
        Touch(session);
    }
}
