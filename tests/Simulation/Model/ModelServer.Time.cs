using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>What happens because time passes, and how sessions and channels end.</summary>
internal sealed partial class ModelServer
{
    /// <summary>After a stuck write, half a second to read the close frame.</summary>
    private static readonly TimeSpan _lastChance = TimeSpan.FromMilliseconds(500);

    private readonly List<Ringing> _ringing = [];
    private TimeSpan _quietUntil = TimeSpan.MaxValue;
    private TimeSpan _forgivenUntil;
    private long _order;

    /// <summary>In the order in which they are served when they ring together.</summary>
    private enum Bell
    {
        Cut,
        LastChance,
        Stall,
        Lifespan,
        Notice,
        Window,
        Silence,
        Ping,
    }

    /// <summary>The next time that anything is due.</summary>
    public TimeSpan NextDeadline
    {
        get
        {
            TimeSpan next = TimeSpan.MaxValue;
            foreach (ModelSession session in Unfinished)
                next = Earlier(next, Earlier(Earlier(session.Ping.Due, session.Silence.Due), Earlier(session.Stall.Due, session.Cut.Due)));
            foreach (ModelChannel channel in Channels)
            {
                next = Earlier(next, Earlier(channel.Lifespan.Due, channel.Notice.Due));
                foreach (ModelSeat seat in channel.Seats)
                    next = Earlier(next, seat.Window.Due);
            }
            return next;
        }
    }

    /// <summary>How many alarms of each kind are set.</summary>
    public DeadlineCounts Counts => new(
        Lifespans: Channels.Count,
        Notices: Channels.Count(channel => channel.Notice.IsSet),
        Windows: Held,
        Heartbeats: Unfinished.Count(session => session.Ping.IsSet),
        Stalls: Unfinished.Count(session => session.Stall.IsSet),
        Closings: Unfinished.Count(session => session.Cut.IsSet),
        Silences: Unfinished.Count(session => session.Silence.IsSet));

    /// <summary>Sets the time and does what has fallen due, up to the portion.</summary>
    public void Advance(TimeSpan now)
    {
        Now = now;
        if (now < _quietUntil)
            return;
        // Deadlines are met so late that clients may not have been asked in time.
        if (now - NextDeadline > limits.Heartbeat)
            _forgivenUntil = now + limits.Heartbeat;
        FindRinging();
        int left = portion;
        foreach (Ringing ringing in _ringing)
        {
            // What rang may have been silenced by what was done before it.
            if (ringing.Order != OrderNow(ringing))
                continue;
            if (left-- == 0)
                break;
            Ring(ringing);
        }
        _quietUntil = NextDeadline;
    }

    private static TimeSpan Earlier(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static long OrderNow(in Ringing ringing) => ringing.Bell switch
    {
        Bell.Cut or Bell.LastChance => ringing.Session!.Cut.Order,
        Bell.Stall => ringing.Session!.Stall.Order,
        Bell.Lifespan => ringing.Channel!.Lifespan.Order,
        Bell.Notice => ringing.Channel!.Notice.Order,
        Bell.Window => ringing.Seat!.Window.Order,
        Bell.Silence => ringing.Session!.Silence.Order,
        _ => ringing.Session!.Ping.Order,
    };

    private void FindRinging()
    {
        _ringing.Clear();
        foreach (ModelSession session in Unfinished)
        {
            Find(session.Cut, session.IsLastChance ? Bell.LastChance : Bell.Cut, session);
            Find(session.Stall, Bell.Stall, session);
            Find(session.Silence, Bell.Silence, session);
            Find(session.Ping, Bell.Ping, session);
        }
        foreach (ModelChannel channel in Channels)
        {
            Find(channel.Lifespan, Bell.Lifespan, channel: channel);
            Find(channel.Notice, Bell.Notice, channel: channel);
            foreach (ModelSeat seat in channel.Seats)
                Find(seat.Window, Bell.Window, seat: seat);
        }
        _ringing.Sort();
    }

    private void Find(in Alarm alarm, Bell bell, ModelSession? session = null, ModelChannel? channel = null, ModelSeat? seat = null)
    {
        if (alarm.Due <= Now)
            _ringing.Add(new Ringing(bell, alarm.Due, alarm.Order, session, channel, seat));
    }

    private void Ring(in Ringing ringing)
    {
        ModelSession session = ringing.Session!;
        switch (ringing.Bell)
        {
            case Bell.Cut or Bell.LastChance:
                Finish(session);
                return;
            case Bell.Stall:
                End(session, EndReason.SlowConsumer);
                session.IsLastChance = true;
                Arm(ref session.Cut, _lastChance);
                return;
            case Bell.Lifespan:
                EndChannel(ringing.Channel!, EndReason.ChannelExpired);
                return;
            case Bell.Notice:
                ringing.Channel!.Notice.Clear();
                Announce(ringing.Channel);
                return;
            case Bell.Window:
                tally.Meet(Rarity.WindowEnded);
                ringing.Seat!.Channel.HasDropped = true;
                GiveUp(ringing.Seat);
                return;
            case Bell.Silence when Now < _forgivenUntil:
                tally.Meet(Rarity.SilenceForgiven);
                NoteLife(session);
                return;
            case Bell.Silence:
                End(session, EndReason.ClientTimeout);
                return;
            default:
                Send(session, ModelFrame.Ping, []);
                StartPings(session);
                return;
        }
    }

    private void Arm(ref Alarm alarm, TimeSpan after)
    {
        alarm.Set(Now + after, ++_order);
        _quietUntil = Earlier(_quietUntil, alarm.Due);
    }

    private void StartPings(ModelSession session)
    {
        if (limits.Heartbeat > TimeSpan.Zero)
            Arm(ref session.Ping, limits.Heartbeat);
    }

    private void NoteLife(ModelSession session)
    {
        if (limits.Heartbeat > TimeSpan.Zero)
            Arm(ref session.Silence, limits.ClientTimeout);
    }

    /// <summary>The end of a channel is near.</summary>
    private void Announce(ModelChannel channel)
    {
        foreach (ModelSeat seat in channel.Seats.ToArray())
        {
            if (seat.Version == ProtocolVersion.Two && seat.Session is { } session)
            {
                tally.Meet(Rarity.ExpiringTold);
                Push(session, VersionTwo.Expiring(channel.Lifespan.Due - Now));
            }
        }
    }

    private void EndChannel(ModelChannel channel, EndReason reason)
    {
        channel.IsEnding = true;
        foreach (ModelSeat seat in channel.Seats.ToArray())
        {
            if (seat.Session is { } session)
            {
                End(session, reason);
                continue;
            }
            tally.Meet(Rarity.HeldSeatEndedWithChannel);
            GiveUp(seat);
        }
        Channels.Remove(channel);
        _byName.Remove(channel.Name);
        channel.Lifespan.Clear();
        channel.Notice.Clear();
        Heard.Add(new Heard(HeardKind.ChannelEnded, reason, Outcome: channel.OutcomeOf(reason)));
    }

    private void End(ModelSession session, EndReason reason)
    {
        (ushort code, string text) = ModelText.CloseOf(reason);
        TellAccepted(session);
        // What a client does not read holds a buffer, and those are scarce.
        bool isTold = !session.IsDeaf && !(reason == EndReason.TryAgainLater && session.IsStalled);
        Retire(session, reason, isTold ? code : (ushort)0);
        if (!isTold)
            Finish(session);
        else
            Close(session, code, text, SessionPhase.Lingering);
    }

    private void Vanish(ModelSession session)
    {
        Retire(session, EndReason.Disconnected, 0);
        Finish(session);
    }

    /// <summary>A session loses its seat, which is held or given up.</summary>
    private void Retire(ModelSession session, EndReason reason, ushort code)
    {
        ModelSeat seat = session.Seat!;
        Unseat(session, reason, code);
        bool isHeld = IsResumable && reason is EndReason.Disconnected or EndReason.ClientTimeout && !seat.Channel.IsEnding;
        if (isHeld)
            Hold(seat);
        else
            Vacate(seat);
    }

    private void Unseat(ModelSession session, EndReason reason, ushort code)
    {
        ModelSeat seat = session.Seat!;
        seat.Session = null;
        seat.LastEnd = reason;
        session.LeftSeat = seat;
        session.Seat = null;
        session.Reason = reason;
        Seated--;
        Heard.Add(new Heard(HeardKind.Ended, reason, code, Now - session.Began, session.Accepted, session.Person.Address));
    }

    private void Close(ModelSession session, ushort code, string text, SessionPhase phase)
    {
        if (session.Version == ProtocolVersion.Two && phase == SessionPhase.Lingering)
        {
            tally.Meet(Rarity.EndTold);
            Send(session, ModelFrame.Text, VersionTwo.End(code, text));
        }
        Send(session, ModelFrame.Close, [(byte)(code >> 8), (byte)code, .. System.Text.Encoding.ASCII.GetBytes(text)]);
        session.Phase = phase;
        session.Ping.Clear();
        session.Stall.Clear();
        session.Silence.Clear();
        Arm(ref session.Cut, limits.CloseTimeout);
    }

    private void Leave(ModelSession session)
    {
        session.Phase = SessionPhase.Leaving;
        NoteChange(session);
        if (session.Pending == 0)
            Finish(session);
    }

    private void Finish(ModelSession session)
    {
        session.Phase = SessionPhase.Finished;
        NoteChange(session);
        session.Ping.Clear();
        session.Stall.Clear();
        session.Silence.Clear();
        session.Cut.Clear();
        ModelSession last = Unfinished[^1];
        Unfinished[session.Index] = last;
        last.Index = session.Index;
        Unfinished.RemoveAt(Unfinished.Count - 1);
    }

    private readonly record struct Ringing(Bell Bell, TimeSpan Due, long Order, ModelSession? Session, ModelChannel? Channel, ModelSeat? Seat)
        : IComparable<Ringing>
    {
        public int CompareTo(Ringing other) => (Bell, Due, Order).CompareTo((other.Bell, other.Due, other.Order));
    }
}

/// <summary>How many deadlines of each kind stand.</summary>
internal readonly record struct DeadlineCounts(
    int Lifespans, int Notices, int Windows, int Heartbeats, int Stalls, int Closings, int Silences);
