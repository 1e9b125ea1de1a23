using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>
/// The oracle: the protocol over plain lists. It hears the same facts in the same order as the core and says which frames each client
/// must see, who must end and why. Nothing in it is fast, and it knows nothing of buffers, pools or links.
/// </summary>
/// <param name="limits">The limits to keep.</param>
/// <param name="portion">How many deadlines the core handles in one go; a matter of taste, so it is taken from the core.</param>
/// <param name="tally">Where it is noted what was met.</param>
internal sealed partial class ModelServer(Limits limits, int portion, Tally tally)
{
    private readonly Dictionary<string, ModelChannel> _byName = new(StringComparer.Ordinal);
    private int _channelsOpened;

    public TimeSpan Now { get; private set; }

    /// <summary>The oldest first.</summary>
    public List<ModelChannel> Channels { get; } = [];

    /// <summary>Sessions of which the driver still holds the socket, in no particular order.</summary>
    public List<ModelSession> Unfinished { get; } = [];

    /// <summary>Sessions that have a seat.</summary>
    public int Seated { get; private set; }

    /// <summary>Seats without a session.</summary>
    public int Held { get; private set; }

    /// <summary>Seats that have envelopes which may be sent again, and channels that have messages for the first who joins.</summary>
    public int Keeping => Channels.Sum(channel => channel.Seats.Count(seat => seat.Kept.Count > 0) + (channel.Untold.Count > 0 ? 1 : 0));

    /// <summary>What the observer must have heard since it was last asked.</summary>
    public List<Heard> Heard { get; } = [];

    /// <summary>Sessions of which the driver must have been told since it was last asked.</summary>
    public List<ModelSession> Changed { get; } = [];

    private bool IsResumable => limits.ResumeWindow > TimeSpan.Zero;

    public bool Exists(string name) => _byName.ContainsKey(name);

    public void Open(ModelSession session, Guest guest, byte[] head, string name, string? token)
    {
        SimulationFailure.Unless(!Exists(name), "A new channel got the id of a living one", session.Number);
        ModelChannel channel = new(++_channelsOpened, name);
        _byName.Add(name, channel);
        Channels.Add(channel);
        if (limits.ConnLifespan > TimeSpan.Zero)
            Arm(ref channel.Lifespan, limits.ConnLifespan);
        if (limits.ConnLifespan > limits.ExpiryNotice)
            Arm(ref channel.Notice, limits.ConnLifespan - limits.ExpiryNotice);
        channel.Opener = Sit(guest, channel, token);
        Greet(session, guest, head, channel.Opener);
        Heard.Add(new Heard(HeardKind.Began, Start: SessionStart.Opened));
    }

    public void Join(ModelSession session, Guest guest, byte[] head, string id, string? token)
    {
        _byName.TryGetValue(id.TrimEnd('='), out ModelChannel? channel);
        ModelSeat? yielding = null;
        EndReason refusal = channel is null ? EndReason.ChannelUnavailable : Admission(channel, guest.Person, out yielding);
        if (refusal != EndReason.None)
        {
            Refuse(session, guest, head, refusal);
            return;
        }
        ModelSeat seat = Sit(guest, channel!, token);
        if (yielding is not null)
        {
            tally.Meet(Rarity.HeldSeatYielded);
            GiveUp(yielding);
        }
        Greet(session, guest, head, seat);
        Heard.Add(new Heard(HeardKind.Began, Start: SessionStart.Joined));
        if (channel!.Joins == 2 && channel.Untold.Count > 0)
        {
            tally.Meet(channel.Opener!.IsHeld ? Rarity.UntoldGivenWhileOpenerIsAway : Rarity.UntoldGiven);
            foreach (byte[] text in channel.Untold)
                Give(seat, channel.Opener, text, isBounded: false);
            channel.Untold.Clear();
        }
        Tell(channel, seat, "joined");
    }

    public void Refuse(ModelSession session, Guest guest, byte[] head, EndReason refusal)
    {
        Begin(session, guest, head);
        Heard.Add(new Heard(HeardKind.Refused, refusal, Address: guest.Person.Address));
        session.Reason = refusal;
        (ushort code, string text) = ModelText.CloseOf(refusal);
        Close(session, code, text, SessionPhase.Lingering);
    }

    /// <summary>Octets from the client, as many as the core has consumed.</summary>
    public void Receive(ModelSession session, ReadOnlySpan<byte> octets)
    {
        foreach (byte octet in octets)
        {
            bool isHeard = session.Phase is SessionPhase.Open or SessionPhase.Lingering && !session.Stream!.IsBroken;
            if (!isHeard)
                return;
            Completed completed = session.Stream!.Take(octet);
            if (completed == Completed.Nothing)
                continue;
            if (session.Phase == SessionPhase.Open)
                Handle(session, completed);
            else if (completed == Completed.Pong)
                HandleLate(session, session.Stream.Payload);
            else if (completed == Completed.Close)
                Leave(session);
        }
    }

    public void InputEnded(ModelSession session)
    {
        if (session.Phase == SessionPhase.Open)
            Vanish(session);
        else if (session.Phase == SessionPhase.Lingering)
            Leave(session);
    }

    public void Broken(ModelSession session)
    {
        if (session.Phase == SessionPhase.Open)
            Vanish(session);
        else if (session.Phase != SessionPhase.Finished)
            Finish(session);
    }

    /// <summary>Nothing reaches the client any more, but it may still be heard.</summary>
    public void OutputBroken(ModelSession session)
    {
        if (session.Phase == SessionPhase.Open)
        {
            tally.Meet(Rarity.OutputBroken);
            session.GoDeaf();
            Sent(session, []);
        }
        else if (session.Phase != SessionPhase.Finished)
        {
            Finish(session);
        }
    }

    /// <summary>The socket has accepted octets: the right ones, or this fails.</summary>
    public void Sent(ModelSession session, ReadOnlySpan<byte> octets)
    {
        if (session.Phase == SessionPhase.Finished)
            return;
        session.Write(octets);
        if (session.Phase == SessionPhase.Leaving && session.Pending == 0)
            Finish(session);
        if (session.Phase != SessionPhase.Open)
            return;

        if (session.Pending == 0)
        {
            if (session.IsStalled)
                StartPings(session);
            if (session.IsStalled && IsUntold(session.Seat!))
                NoteChange(session);
            session.IsStalled = false;
            session.Stall.Clear();
        }
        else if (octets.Length > 0 || !session.IsStalled)
        {
            session.IsStalled = true;
            session.Ping.Clear();
            Arm(ref session.Stall, limits.WriteTimeout);
        }
    }

    /// <summary>The driver is about to write: behind what leaves together stands what tells how far it is.</summary>
    public void AboutToServe(ModelSession session)
    {
        if (session.Phase != SessionPhase.Open)
            return;
        ModelSeat seat = session.Seat!;
        if (!session.IsStalled)
            TellAccepted(session);
        if (IsResumable && seat.Numbered > seat.Pinged)
        {
            seat.Pinged = seat.Numbered;
            Send(session, ModelFrame.Ping, ModelText.Number(seat.Pinged));
        }
    }

    /// <summary>Version 2 is told what was accepted, as soon as something can be written.</summary>
    private void TellAccepted(ModelSession session)
    {
        ModelSeat seat = session.Seat!;
        if (!IsUntold(seat))
            return;
        seat.AcceptedTold = seat.Accepted;
        Send(session, ModelFrame.Text, VersionTwo.Ack(seat.Accepted));
    }

    private static bool IsUntold(ModelSeat seat) => seat.Version == ProtocolVersion.Two && seat.Accepted > seat.AcceptedTold;

    /// <summary>The server stops: the oldest channels end first.</summary>
    public void EndOldest(EndReason reason, int most)
    {
        for (; most > 0 && Channels.Count > 0; most--)
            EndChannel(Channels[0], reason);
    }

    /// <summary>Whether a newcomer may sit down, and which held seat makes room.</summary>
    private EndReason Admission(ModelChannel channel, Person person, out ModelSeat? yielding)
    {
        yielding = null;
        bool isKnown = channel.Founders.Exists(founder => ModelText.IsSame(founder, person.Address))
            || channel.Seats.Exists(seat => ModelText.IsSame(seat.Person.Address, person.Address));
        if (channel.Founders.Count == 2 && !isKnown)
            return EndReason.AddressUnknown;
        if (channel.Seats.Count < limits.MaxChannelConnections)
            return EndReason.None;
        foreach (ModelSeat seat in channel.Seats)
        {
            bool mayYield = seat.IsHeld && ModelText.IsSame(seat.Person.Address, person.Address);
            // Of those that were lost at the same time, the one that sat down first: a matter of taste.
            if (mayYield && (yielding is null || seat.Window.Due < yielding.Window.Due))
                yielding = seat;
        }
        return yielding is null ? EndReason.ChannelFull : EndReason.None;
    }

    private void Begin(ModelSession session, Guest guest, byte[] head)
    {
        session.Person = guest.Person;
        session.Version = guest.Version;
        session.Stream = new ClientStream(limits);
        session.Began = Now;
        session.Index = Unfinished.Count;
        Unfinished.Add(session);
        Send(session, ModelFrame.Head, head);
    }

    private static ModelSeat Sit(Guest guest, ModelChannel channel, string? token)
    {
        channel.Joins++;
        ModelSeat seat = new(channel.Joins, channel, guest.Version) { Token = token };
        channel.Seats.Add(seat);
        if (channel.Founders.Count < 2)
            channel.Founders.Add(guest.Person.Address);
        return seat;
    }

    private void Greet(ModelSession session, Guest guest, byte[] head, ModelSeat seat)
    {
        Occupy(session, guest, head, seat);
        Send(session, ModelFrame.Text, Greeting(seat, isResumed: false));
    }

    /// <summary>A session begins on a seat.</summary>
    private void Occupy(ModelSession session, Guest guest, byte[] head, ModelSeat seat)
    {
        Begin(session, guest, head);
        session.Seat = seat;
        seat.Session = seat.LastSession = session;
        seat.Person = guest.Person;
        Seated++;
        StartPings(session);
        NoteLife(session);
    }

    private byte[] Greeting(ModelSeat seat, bool isResumed) => seat.Version == ProtocolVersion.Two
        ? VersionTwo.Greeting(seat, limits, seat.Channel.Lifespan.Due - Now)
        : ModelText.Greeting(seat.Channel.Name, seat.Token, isResumed ? seat.Accepted : null);
}
