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
        while (most-- > 0 && _lifespans.TryTakeFirst(out Channel channel))
            EndChannel(channel, reason);
        return ChannelCount > 0;
    }

    private void Begin(Session session, in Visitor visitor, ReadOnlySpan<byte> head, Channel channel)
    {
        session.Introduce(visitor);
        session.Began = Now;
        session.Seat = channel.Sit(session, AddressKey.Of(visitor.Address));
        SessionCount++;
        session.Outbox.AppendHead(head, _buffers);
        Span<byte> greeting = stackalloc byte[Greeting.Size];
        Greeting.Write(channel.Id, greeting);
        session.Outbox.AppendFrame(greeting, _buffers);
        StartPulse(session);
        Touch(session);
    }

    /// <summary>Ends one session and tells the client.</summary>
    private void End(Session session, EndReason reason) => End(session, reason, reason.Code());

    private void End(Session session, EndReason reason, ushort code)
    {
        Retire(session, reason, code);
        Close(session, code, reason.Text(), reason == EndReason.ClientClosed ? SessionPhase.Leaving : SessionPhase.Lingering);
    }

    /// <summary>Ends a session whose client is not there any more.</summary>
    private void Vanish(Session session)
    {
        Retire(session, EndReason.Disconnected, code: 0);
        Finish(session);
    }

    /// <summary>Ends every session of a channel, and the channel.</summary>
    private void EndChannel(Channel channel, EndReason reason)
    {
        while (channel.FirstSeat is { } seat)
            End(seat.Session, reason);
    }

    /// <summary>A bug showed while this session's bytes were handled: its channel ends, and no other.</summary>
    private void Fail(Session session, Exception bug)
    {
        _observer.Failed(bug);
        session.IsGarbled = true;
        if (session.Seat is { } seat)
            EndChannel(seat.Channel, EndReason.InternalError);
        else
            Finish(session);
    }

    /// <summary>The one place where a session gives up its seat, and where its end is recorded.</summary>
    private void Retire(Session session, EndReason reason, ushort code)
    {
        Seat seat = session.Seat!;
        Channel channel = seat.Channel;
        session.Seat = null;
        session.EndedBy = reason;
        channel.Leave(seat);
        SessionCount--;
        _observer.SessionEnded(new SessionEnd(reason, code, Now - session.Began, seat.Accepted, session.Address));
        if (channel.SeatCount > 0)
            return;
        _channels.Remove(channel.Id);
        DeadlineList<Channel, Channel.Lifespan>.Remove(channel);
        _observer.ChannelEnded(reason);
    }

    private void Close(Session session, ushort code, ReadOnlySpan<byte> text, SessionPhase phase)
    {
        session.Outbox.AppendClose(code, text, _buffers);
        session.Phase = phase;
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
