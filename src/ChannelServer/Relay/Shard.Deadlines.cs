using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>What happens because time passes.</summary>
internal sealed partial class Shard
{
    /// <summary>
    /// Deadlines handled by one call of <see cref="Advance"/>. Bounded, so that the pings of many thousand sessions that fall due
    /// together are written in portions, and their buffers are reused.
    /// </summary>
    private const int DeadlinesPerAdvance = 128;

    /// <summary>What a client gets whose write was stuck, to read its close frame after all.</summary>
    private static readonly TimeSpan _lastChance = TimeSpan.FromMilliseconds(500);

    /// <summary>Channels that have not told their clients of their end. Those in <see cref="_lifespans"/> have, and are older.</summary>
    private readonly DeadlineList<Channel, Channel.Lifespan> _expiries = new(new Channel());
    private readonly DeadlineList<Channel, Channel.Lifespan> _lifespans = new(new Channel());
    private readonly DeadlineList<SeatHold, SeatHold.Window> _holds = new(new SeatHold(null!, EndReason.None));
    private readonly DeadlineList<Session, Session.Pulse> _heartbeats = new(new Session());
    private readonly DeadlineList<Session, Session.Pulse> _stalls = new(new Session());
    private readonly DeadlineList<Session, Session.Pulse> _closings = new(new Session());
    private readonly DeadlineList<Session, Session.Pulse> _lastChances = new(new Session());
    private readonly DeadlineList<Session, Session.Silence> _silences = new(new Session());

    /// <summary>Until when nobody is ended for his silence, since deadlines were met so late that it may be the server's fault.</summary>
    private TimeSpan _forgivenUntil;

    /// <summary>When <see cref="Advance"/> has something to do; <see cref="TimeSpan.MaxValue"/> when only facts can change anything.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan next = Earlier(_lifespans.NextDue, _expiries.NextDue);
            next = Earlier(next, _holds.NextDue);
            next = Earlier(next, _heartbeats.NextDue);
            next = Earlier(next, _stalls.NextDue);
            next = Earlier(next, _closings.NextDue);
            next = Earlier(next, _lastChances.NextDue);
            return Earlier(next, _silences.NextDue);
        }
    }

    /// <summary>
    /// Sets the time and does what has fallen due, up to a bound: as long as <see cref="NextDeadline"/> has passed there is more.
    /// </summary>
    /// <param name="now">The time since the driver's start; never less than before.</param>
    public void Advance(TimeSpan now)
    {
        SetTime(now);
        for (int left = DeadlinesPerAdvance; left > 0; left--)
        {
            Channel? channel = null;
            try
            {
                if (!TryMeetDeadline(ref channel))
                    return;
            }
#pragma warning disable CA1031 // A bug met by one channel must cost no other channel anything.
            catch (Exception bug)
#pragma warning restore CA1031
            {
                Fail(channel, bug);
            }
        }
    }

    /// <summary>Sets the time and leaves what has fallen due for later: for a driver that has facts to tell which came before that.</summary>
    /// <param name="now">The time since the driver's start; never less than before.</param>
    public void SetTime(TimeSpan now)
    {
        Invariant.Require(now >= Now);
        // The process has stood still, or the machine. Who was not asked meanwhile cannot have answered.
        if (now - NextDeadline > limits.Heartbeat)
            _forgivenUntil = now + limits.Heartbeat;
        Now = now;
    }

    /// <summary>Does what is due first; false when nothing is.</summary>
    /// <param name="channel">The channel that it is about.</param>
    private bool TryMeetDeadline(ref Channel? channel)
    {
        if (_closings.TryTakeDue(Now, out Session session) || _lastChances.TryTakeDue(Now, out session))
        {
            Finish(session);
        }
        else if (_stalls.TryTakeDue(Now, out session))
        {
            channel = session.Seat!.Channel;
            EndStuck(session);
        }
        else if (_lifespans.TryTakeDue(Now, out Channel due))
        {
            channel = due;
            EndChannel(due, EndReason.ChannelExpired);
        }
        else if (_expiries.TryTakeDue(Now, out due))
        {
            channel = due;
            GiveNotice(due);
        }
        else if (_holds.TryTakeDue(Now, out SeatHold hold))
        {
            channel = hold.Seat.Channel;
            EndHold(hold.Seat);
        }
        else if (_silences.TryTakeDue(Now, out session))
        {
            channel = session.Seat!.Channel;
            EndSilent(session);
        }
        else if (_heartbeats.TryTakeDue(Now, out session))
        {
            channel = session.Seat!.Channel;
            Ping(session);
        }
        else
        {
            return false;
        }
        return true;
    }

    private static TimeSpan Earlier(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private void AwaitExpiry(Channel channel)
    {
        if (limits.ConnLifespan > limits.ExpiryNotice)
            _expiries.Append(channel, channel.ExpiresAt - limits.ExpiryNotice);
        else
            _lifespans.Append(channel, channel.ExpiresAt);
    }

    /// <summary>The channel ends soon. It moves from one list to the other, so it needs but one link.</summary>
    private void GiveNotice(Channel channel)
    {
        _lifespans.Append(channel, channel.ExpiresAt);
        for (Seat? seat = channel.FirstSeat; seat is not null; seat = seat.Next)
        {
            if (seat.Version == ProtocolVersion.Two && seat.Session is { } session)
                Inform(session, _frames.Expiring(channel, Now));
        }
    }

    private void EndHold(Seat seat)
    {
        seat.Channel.HasDropped = true;
        GiveUpHeld(seat);
    }

    private void StartPulse(Session session)
    {
        if (limits.Heartbeat == TimeSpan.Zero)
            return;
        _heartbeats.Append(session, Now + limits.Heartbeat);
        NoteLife(session);
    }

    /// <summary>Any frame is a sign of life.</summary>
    private void NoteLife(Session session)
    {
        if (limits.Heartbeat > TimeSpan.Zero)
            _silences.Append(session, Now + limits.ClientTimeout);
    }

    private void EndSilent(Session session)
    {
        if (Now < _forgivenUntil)
            NoteLife(session);
        else
            End(session, EndReason.ClientTimeout);
    }

    private void Ping(Session session)
    {
        // A message that never ends keeps buffers; its fragments, however slow, would count as life for ever.
        if (limits.MessageTimeout > TimeSpan.Zero && Now - session.Reader.PartSince >= limits.MessageTimeout)
        {
            End(session, EndReason.TooManyFragments);
            return;
        }
        session.Outbox.AppendControl(Opcode.Ping, default, _buffers);
        _heartbeats.Append(session, Now + limits.Heartbeat);
        Touch(session);
    }

    /// <summary>A stalled session is not pinged: it is watched for progress instead.</summary>
    private void TrackStall(Session session, bool progressed)
    {
        if (session.Outbox.IsEmpty)
        {
            if (session.IsStalled)
                EndStall(session);
        }
        else if (progressed || !session.IsStalled)
        {
            session.IsStalled = true;
            _stalls.Append(session, Now + limits.WriteTimeout);
        }
    }

    private void EndStall(Session session)
    {
        session.IsStalled = false;
        // Its driver comes by once more, for what was not told meanwhile.
        if (session.Version == ProtocolVersion.Two)
            Touch(session);
        ResumePulse(session);
    }

    private void ResumePulse(Session session)
    {
        if (limits.Heartbeat > TimeSpan.Zero)
            _heartbeats.Append(session, Now + limits.Heartbeat);
        else
            DeadlineList<Session, Session.Pulse>.Remove(session);
    }

    private void EndStuck(Session session)
    {
        End(session, EndReason.SlowConsumer);
        _lastChances.Append(session, Now + _lastChance);
    }
}
