using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>What a connection tells the driver.</summary>
internal enum Letter : byte
{
    Arrived,
    Readable,
    Writable,
}

/// <summary>
/// Drives the shard as the real drivers do: letters handled in turns, the time set once at the start of a turn, every touched session
/// served after each call. One half of the worlds writes as an event loop does, straight to the socket; the other half as pipes do,
/// where a chunk is taken whole and reported when the socket has accepted all of it.
/// </summary>
internal sealed class Driver(World world, Referee referee, Prng chance)
{
    private const int ChunkSize = 16 * 1024;
    private const int InputSize = 64 * 1024;
    private const int EndedPerTurn = 64;

    private readonly Queue<(Connection, Letter)> _letters = new();
    private readonly byte[] _input = new byte[InputSize];
    private TimeSpan _armedFor = TimeSpan.MaxValue;
    private bool _isTurnDue;

    public bool IsStopping { get; private set; }

    public void Post(Connection connection, Letter letter)
    {
        _letters.Enqueue((connection, letter));
        ScheduleTurn();
    }

    public void Stop()
    {
        IsStopping = true;
        ScheduleTurn();
    }

    /// <summary>The client's octets, its end or its reset have arrived.</summary>
    public void PostReadable(Connection connection)
    {
        if (connection.IsReadPosted || connection.IsReleased)
            return;
        connection.IsReadPosted = true;
        Post(connection, Letter.Readable);
    }

    /// <summary>The socket has room again.</summary>
    public void PostWritable(Connection connection)
    {
        if (!connection.IsBlocked || connection.IsWritablePosted)
            return;
        connection.IsWritablePosted = true;
        Post(connection, Letter.Writable);
    }

    public void OnTimer(TimeSpan at)
    {
        // A timer that was moved has no meaning any more.
        if (at < _armedFor)
            return;
        _armedFor = TimeSpan.MaxValue;
        ScheduleTurn();
    }

    public void Turn()
    {
        _isTurnDue = false;
        // No more than everything that can have a deadline, each with one at a time.
        int left = referee.Model.Unfinished.Count + referee.Model.Held + referee.Model.Channels.Count + 2;
        do
        {
            SimulationFailure.Unless(left-- > 0, "Deadlines do not come to an end");
            referee.Advance(world.Now);
            ServeTouched();
        }
        while (referee.NextDeadline <= referee.Now);

        while (_letters.TryDequeue(out (Connection Connection, Letter Letter) next))
            Handle(next.Connection, next.Letter);
        while (IsStopping && referee.Model.Channels.Count > 0)
        {
            referee.EndOldest(EndedPerTurn);
            ServeTouched();
        }
        SimulationFailure.Unless(referee.NextDeadline > referee.Now, "A deadline is overdue after the turn");
        Arm();
    }

    private void ScheduleTurn()
    {
        if (_isTurnDue)
            return;
        _isTurnDue = true;
        // Mostly at once; now and then the thread was elsewhere for a while.
        bool isLate = !world.IsCalm && chance.Chance(world.Swarm.LatePerMille);
        TimeSpan delay = isLate ? chance.Span(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(3)) : TimeSpan.FromMicroseconds(chance.Below(50));
        world.Enter(delay, Happening.Turn, null);
    }

    private void Arm()
    {
        TimeSpan next = referee.NextDeadline;
        if (next >= _armedFor)
            return;
        _armedFor = TimeSpan.FromMilliseconds(Math.Ceiling(next.TotalMilliseconds));
        world.Enter(_armedFor - world.Now, Happening.Timer, null);
    }

    private void Handle(Connection connection, Letter letter)
    {
        switch (letter)
        {
            case Letter.Arrived:
                Seat(connection);
                PostIfNews(connection);
                break;
            case Letter.Readable:
                Read(connection);
                break;
            default:
                connection.IsWritablePosted = false;
                ResumeWriting(connection);
                break;
        }
        ServeTouched();
    }

    private void Seat(Connection connection)
    {
        byte[] head = connection.Client.Head;
        if (IsStopping)
            referee.Refuse(connection, head, EndReason.ServerShutdown);
        else if (connection.Client.Claim is not null)
            Resume(connection, head);
        else if (connection.Client.Id.Length == 0)
            referee.Open(connection, head);
        else
            referee.Join(connection, connection.Client.Id, head);
    }

    /// <summary>What an earlier connection of the seat has received arrived whole and first.</summary>
    private void Resume(Connection connection, byte[] head)
    {
        ServeTouched();
        connection.Client.Device?.NoteClaim();
        if (referee.Holder(connection) is { } holder)
            ReadAll(holder);
        referee.Resume(connection, connection.Client.Id, head);
    }

    private void ReadAll(Connection connection)
    {
        while (connection.Up.Readable > 0 && !connection.IsReleased)
            TakeIn(connection, InputSize);
        if (connection.IsReleased)
            return;
        if (connection.IsReset)
            referee.Broken(connection);
        else if (connection.Up.HasEndArrived)
            referee.InputEnded(connection);
        ServeTouched();
    }

    private void TakeIn(Connection connection, int room)
    {
        int taken = connection.Up.Read(_input.AsSpan(0, room));
        world.NoteReadUp(connection);
        Span<byte> input = _input.AsSpan(0, taken);
        while (!input.IsEmpty)
        {
            int consumed = referee.Receive(connection, input);
            connection.UpHeard += connection.Session.Phase == SessionPhase.Open ? consumed : 0;
            input = input[consumed..];
            ServeTouched();
        }
    }

    private void Read(Connection connection)
    {
        connection.IsReadPosted = false;
        if (connection.IsReleased)
            return;
        if (connection.IsReset)
        {
            // What arrived before the reset has arrived.
            ReadAll(connection);
            return;
        }
        TakeIn(connection, chance.Chance(300) ? 1 + chance.Below(64) : InputSize);
        if (connection.Up is { Readable: 0, HasEndArrived: true })
        {
            referee.InputEnded(connection);
            if (chance.Chance(100))
                referee.InputEnded(connection);
        }
        else
        {
            PostIfNews(connection);
        }
    }

    private void PostIfNews(Connection connection)
    {
        if (connection.Up.HasNews || connection.IsReset)
            PostReadable(connection);
    }

    private void ResumeWriting(Connection connection)
    {
        connection.IsBlocked = false;
        if (connection.IsReleased)
            return;
        if (connection.Writing is not null && !ContinueChunk(connection))
            return;
        Serve(connection);
    }

    private void ServeTouched()
    {
        while (referee.TryTakeTouched(out Connection connection))
            Serve(connection);
        referee.RequireAllServed();
    }

    private void Serve(Connection connection)
    {
        Session session = connection.Session;
        // An event loop may try a full socket again, and report that nothing was taken.
        if (connection.IsBlocked && !connection.IsReleased && !world.Swarm.WritesChunks && !session.Unsent.IsEmpty && chance.Chance(300))
            referee.Sent(connection, []);
        // A write to a connection that was reset fails. That is no reason to forget what has arrived: reading tells the same, behind it.
        if (connection.IsReset && !connection.IsReleased && !session.Unsent.IsEmpty && chance.Chance(500))
            referee.OutputBroken(connection);
        while (!connection.IsReset && !connection.IsBlocked && !connection.IsReleased && session.Phase != SessionPhase.Finished && !session.Unsent.IsEmpty)
        {
            if (world.Swarm.WritesChunks)
                WriteChunk(connection);
            else
                WriteDirectly(connection);
        }
        if (session.Phase == SessionPhase.Finished)
            Release(connection);
        else if (session.Phase == SessionPhase.Lingering && session.Unsent.IsEmpty && !connection.Down.IsEnded)
            HalfClose(connection);
    }

    private void WriteDirectly(Connection connection)
    {
        ReadOnlySpan<byte> unsent = connection.Session.Unsent;
        int most = !world.IsCalm && chance.Chance(100) ? 1 + chance.Below(unsent.Length) : unsent.Length;
        int taken = connection.Down.Write(unsent[..most]);
        connection.IsBlocked = taken < unsent.Length;
        referee.Sent(connection, unsent[..taken]);
        world.NoteWroteDown(connection);
        // A short write for no visible reason: the socket says soon that it takes more.
        if (connection.IsBlocked && connection.Down.Room > 0)
            world.EnterSoon(Happening.Writable, connection);
    }

    private void WriteChunk(Connection connection)
    {
        ReadOnlySpan<byte> unsent = connection.Session.Unsent;
        connection.Writing = unsent[..Math.Min(unsent.Length, ChunkSize)].ToArray();
        connection.Written = 0;
        if (!ContinueChunk(connection))
            referee.Sent(connection, []);
    }

    /// <returns>Whether the chunk is done with; the session has been told.</returns>
    private bool ContinueChunk(Connection connection)
    {
        byte[] chunk = connection.Writing!;
        if (connection.IsReset)
        {
            connection.Writing = null;
            referee.OutputBroken(connection);
            return true;
        }
        connection.Written += connection.Down.Write(chunk.AsSpan(connection.Written));
        world.NoteWroteDown(connection);
        connection.IsBlocked = connection.Written < chunk.Length;
        if (connection.IsBlocked)
            return false;
        connection.Writing = null;
        referee.Sent(connection, chunk);
        return true;
    }

    private void HalfClose(Connection connection)
    {
        world.Trace.Add(world.Now, TraceKind.ServerHalfClosed, connection.Number);
        connection.Down.End();
        world.NoteWroteDown(connection);
    }

    private void Release(Connection connection)
    {
        if (connection.IsReleased)
            return;
        connection.IsReleased = true;
        world.Trace.Add(world.Now, TraceKind.Released, connection.Number);
        world.NoteReleased(connection, isClean: connection.Writing is null && connection.Up.Readable == 0 && !connection.IsReset);
        connection.Writing = null;
    }
}
