using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>
/// The oracle: sections 1 to 4 of the protocol over plain lists. It hears the same facts in the same order as the core and says
/// which frames each client must see, who must end and why. Nothing in it is fast, and it knows nothing of buffers, pools or links.
/// </summary>
/// <param name="limits">The limits to keep.</param>
/// <param name="portion">How many deadlines the core handles in one go; a matter of taste, so it is taken from the core.</param>
internal sealed partial class ModelServer(Limits limits, int portion)
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

    /// <summary>What the observer must have heard since it was last asked.</summary>
    public List<Heard> Heard { get; } = [];

    /// <summary>Sessions of which the driver must have been told since it was last asked.</summary>
    public List<ModelSession> Changed { get; } = [];

    public bool Exists(string name) => _byName.ContainsKey(name);

    public void Open(ModelSession session, Person person, byte[] head, string name)
    {
        SimulationFailure.Unless(!Exists(name), "A new channel got the id of a living one", session.Number);
        ModelChannel channel = new(++_channelsOpened, name);
        _byName.Add(name, channel);
        Channels.Add(channel);
        if (limits.ConnLifespan > TimeSpan.Zero)
            Arm(ref channel.Lifespan, limits.ConnLifespan);
        Seat(session, person, head, channel);
        Heard.Add(new Heard(HeardKind.Began, Opened: true));
    }

    public void Join(ModelSession session, Person person, byte[] head, string id)
    {
        EndReason refusal = _byName.TryGetValue(id.TrimEnd('='), out ModelChannel? channel)
            ? Admission(channel, person)
            : EndReason.ChannelUnavailable;
        if (refusal != EndReason.None)
        {
            Refuse(session, person, head, refusal);
            return;
        }
        Seat(session, person, head, channel!);
        Heard.Add(new Heard(HeardKind.Began));
    }

    public void Refuse(ModelSession session, Person person, byte[] head, EndReason refusal)
    {
        Begin(session, person, head);
        Heard.Add(new Heard(HeardKind.Refused, refusal, Address: person.Address));
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

    /// <summary>The server stops: the oldest channels end first.</summary>
    public void EndOldest(EndReason reason, int most)
    {
        for (; most > 0 && Channels.Count > 0; most--)
            EndChannel(Channels[0], reason);
    }

    private EndReason Admission(ModelChannel channel, Person person)
    {
        bool isKnown = channel.Founders.Exists(founder => ModelText.IsSame(founder, person.Address));
        if (channel.Founders.Count == 2 && !isKnown)
            return EndReason.AddressUnknown;
        return channel.Seats.Count >= limits.MaxChannelConnections ? EndReason.ChannelFull : EndReason.None;
    }

    private void Begin(ModelSession session, Person person, byte[] head)
    {
        session.Person = person;
        session.Stream = new ClientStream(limits);
        session.Began = Now;
        session.Index = Unfinished.Count;
        Unfinished.Add(session);
        Send(session, ModelFrame.Head, head);
    }

    private void Seat(ModelSession session, Person person, byte[] head, ModelChannel channel)
    {
        Begin(session, person, head);
        session.Channel = channel;
        channel.Seats.Add(session);
        if (channel.Founders.Count < 2)
            channel.Founders.Add(person.Address);
        Seated++;
        Send(session, ModelFrame.Text, ModelText.Greeting(channel.Name));
        StartPings(session);
        NoteLife(session);
    }

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
                Retire(session, EndReason.ClientClosed, code);
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
        ModelChannel channel = sender.Channel!;
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
        channel.Exchanges++;
        channel.Octets += text.Length;
        sender.Accepted++;
        foreach (ModelSession receiver in channel.Seats.ToArray())
        {
            if (receiver == sender)
                continue;
            bool isFull = receiver.PendingMessages >= limits.OutboundMessages || receiver.Pending >= limits.OutboundOctets;
            if (isFull)
                End(receiver, EndReason.SlowConsumer);
            else
                Send(receiver, ModelFrame.Text, ModelText.Envelope(text, sender.Person.ReadBy(receiver.Person.Languages)));
        }
    }

    private void HandleControl(ModelSession session, Completed completed, byte[] payload)
    {
        Int128 refilled = (Int128)(Now - session.ControlAt).Ticks * limits.ControlOctetsPerSecond;
        session.ControlAt = Now;
        session.ControlSpent = Int128.Max(0, session.ControlSpent - refilled);
        // The header of a client's control frame is 6 octets.
        session.ControlSpent += (Int128)(6 + payload.Length) * TimeSpan.TicksPerSecond;
        if (session.ControlSpent > (Int128)limits.ControlBurst * TimeSpan.TicksPerSecond)
            End(session, EndReason.ControlRate);
        else if (completed == Completed.Ping && session.Pending >= limits.OutboundOctets)
            End(session, EndReason.SlowConsumer);
        else if (completed == Completed.Ping)
            Send(session, ModelFrame.Pong, payload);
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
