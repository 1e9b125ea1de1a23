namespace ChannelServer.Simulation;

/// <summary>
/// One seed's world: virtual time, the network, the clients, the server under test and its referee. First a time of faults; then the
/// faults are off and progress is required; then everyone leaves and nothing may be left.
/// </summary>
internal sealed class World
{
    private readonly Agenda _agenda = new();
    private readonly Prng _network;
    private readonly Referee _referee;
    private readonly Crowd _crowd;

    public World(ulong seed, Trace trace, Tally tally, int? clients = null, int? steps = null)
    {
        Trace = trace;
        Tally = tally;
        Prng chance = new(seed);
        Swarm = Swarm.Draw(chance.Fork(), clients, steps);
        _network = chance.Fork();
        _referee = new Referee(this, chance.Fork());
        Driver = new Driver(this, _referee, chance.Fork());
        _crowd = new Crowd(this, chance.Fork());
    }

    public Swarm Swarm { get; }

    public Trace Trace { get; }

    public Driver Driver { get; }

    public List<Connection> Connections { get; } = [];

    public TimeSpan Now { get; private set; }

    /// <summary>Whether the faults are off.</summary>
    public bool IsCalm { get; private set; }

    public long Steps { get; private set; }

    /// <summary>How often a session ended, or was refused, for each reason.</summary>
    public int[] Reasons => _referee.Reasons;

    /// <summary>What clients that come back have seen.</summary>
    public Tally Tally { get; }

    /// <summary>The most sessions that lived at once.</summary>
    public int Peak { get; private set; }

    public void Run()
    {
        Enter(TimeSpan.Zero, Happening.Arrive, null);
        while (Steps < Swarm.Steps && _agenda.TryTake(out Due due))
        {
            Happen(due);
            if (Steps == Swarm.StopAt)
                Driver.Stop();
        }
        IsCalm = true;
        Trace.Add(Now, TraceKind.Calm, -1);
        _crowd.CalmDown();
        Drain();
        _referee.RequireNothingLeft();
    }

    public void Enter(TimeSpan delay, Happening what, Connection? whom) =>
        _agenda.Enter(Now + (delay > TimeSpan.Zero ? delay : TimeSpan.Zero), what, whom);

    /// <summary>After the time that the network takes.</summary>
    public void EnterSoon(Happening what, Connection? whom) =>
        Enter(_network.Span(TimeSpan.FromMicroseconds(100), IsCalm ? TimeSpan.FromMilliseconds(1) : Swarm.Latency), what, whom);

    public void NoteWroteUp(Connection connection) => Schedule(connection.Up, Happening.DeliverUp, connection);

    public void NoteWroteDown(Connection connection)
    {
        if (!connection.Client.IsGone && !connection.Client.IsOver)
            Schedule(connection.Down, Happening.DeliverDown, connection);
    }

    /// <summary>The server has taken octets, so the client's socket has room.</summary>
    public void NoteReadUp(Connection connection) => _crowd.Flush(connection);

    /// <summary>The client has taken octets, so the server's socket has room.</summary>
    public void NoteReadDown(Connection connection)
    {
        if (!connection.IsBlocked || connection.IsWritableDue)
            return;
        connection.IsWritableDue = true;
        EnterSoon(Happening.Writable, connection);
    }

    /// <summary>The server has let go of the socket. What it had not read makes that a reset.</summary>
    public void NoteReleased(Connection connection, bool isClean)
    {
        connection.Down.End();
        if (isClean)
            NoteWroteDown(connection);
        else
            EnterSoon(Happening.ResetDown, connection);
    }

    private void Happen(in Due due)
    {
        SimulationFailure.Unless(due.At >= Now, "Time went backwards");
        Now = due.At;
        Steps++;
        Connection? whom = due.Whom;
        switch (due.What)
        {
            case Happening.Arrive:
                if (!IsCalm)
                    _crowd.Arrive();
                break;
            case Happening.Act:
                _crowd.Act(whom!);
                break;
            case Happening.Return:
                _crowd.Return(whom!);
                break;
            case Happening.ClientReads:
                _crowd.Read(whom!);
                break;
            case Happening.DeliverUp:
                DeliverUp(whom!);
                break;
            case Happening.DeliverDown:
                DeliverDown(whom!);
                break;
            case Happening.ResetUp:
                // The cut can be anywhere: some of what was under way was faster.
                if (!whom!.IsReleased)
                    whom.Up.Deliver(_network.Below(whom.Up.InFlight + 1));
                whom.NoteArrived();
                whom.IsReset = true;
                Driver.PostReadable(whom);
                Driver.PostWritable(whom);
                break;
            case Happening.ResetDown:
                _crowd.BecomeOver(whom!);
                break;
            case Happening.Writable:
                whom!.IsWritableDue = false;
                Driver.PostWritable(whom);
                break;
            case Happening.Turn:
                Driver.Turn();
                Peak = Math.Max(Peak, _referee.Model.Seated);
                break;
            default:
                Driver.OnTimer(Now);
                break;
        }
    }

    private void Schedule(Link link, Happening delivery, Connection connection)
    {
        if (link.IsScheduled || !link.IsUnderWay)
            return;
        link.IsScheduled = true;
        EnterSoon(delivery, connection);
    }

    private void DeliverUp(Connection connection)
    {
        Link up = connection.Up;
        up.IsScheduled = false;
        if (connection.Client.IsGone || connection.IsReset)
            return;
        if (connection.IsReleased)
        {
            // Nobody is there any more, and the kernel says so.
            if (up.InFlight > 0 && !connection.Client.IsOver)
                EnterSoon(Happening.ResetDown, connection);
            return;
        }
        up.Deliver(Share(up));
        Driver.PostReadable(connection);
        Schedule(up, Happening.DeliverUp, connection);
    }

    private void DeliverDown(Connection connection)
    {
        Link down = connection.Down;
        down.IsScheduled = false;
        if (connection.Client.IsGone || connection.Client.IsOver)
            return;
        down.Deliver(Share(down));
        _crowd.ScheduleRead(connection);
        Schedule(down, Happening.DeliverDown, connection);
    }

    /// <summary>All that is under way, or the first part of it.</summary>
    private int Share(Link link) => link.InFlight == 0 || IsCalm || _network.Chance(700) ? link.InFlight : 1 + _network.Below(link.InFlight);

    private void Drain()
    {
        Relay.Limits limits = Swarm.Limits;
        bool timesOut = limits.Heartbeat > TimeSpan.Zero;
        TimeSpan patience = timesOut ? limits.ClientTimeout : limits.ConnLifespan;
        RunUntilEmpty(Now + TimeSpan.FromSeconds(10) + patience + limits.ResumeWindow + limits.CloseTimeout);
        bool mustBeGone = timesOut || limits.ConnLifespan > TimeSpan.Zero;
        SimulationFailure.Unless(!mustBeGone || _referee.Model.Held == 0, "Held seats outlive their windows");
        SimulationFailure.Unless(!mustBeGone || _referee.Model.Unfinished.Count == 0, "Sessions outlive their clients",
            _referee.Model.Unfinished.Count > 0 ? _referee.Model.Unfinished[0].Number : null);
        bool maySing = !Driver.IsStopping && limits.MaxChannelConnections > 1;
        SimulationFailure.Unless(!maySing || _crowd.HasCanarySung, "A pair that came after the faults could not talk");

        Driver.Stop();
        RunUntilEmpty(Now + TimeSpan.FromSeconds(10) + limits.CloseTimeout);
        _crowd.RequireDelivered();
    }

    private void RunUntilEmpty(TimeSpan end)
    {
        while (_agenda.TryTake(out Due due) && due.At <= end)
            Happen(due);
        Now = Now > end ? Now : end;
    }
}
