using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>
/// Gives every fact to the core and then to the model, and compares them. What the driver of a real server calls on the shard, the
/// simulated driver calls here.
/// </summary>
internal sealed class Referee
{
    private readonly World _world;
    private readonly Shard _core;
    private readonly Census _census;
    private readonly Listener _listener = new();
    private readonly Prng _entropy;
    private readonly int _index;
    private readonly int _shards;
    private readonly List<byte[]> _draws = [];
    private byte[] _lastId = new byte[ChannelId.Octets];
    private bool _drawsId;
    private Connection? _holder;
    private readonly byte[] _copy = new byte[64 * 1024];
    private int _untilFullCheck;

    public Referee(World world, Prng entropy)
    {
        _world = world;
        _entropy = entropy;
        Swarm swarm = world.Swarm;
        (_index, _shards) = (swarm.Shard, swarm.Shards);
        _core = new Shard(_index, _shards, swarm.Limits, _listener, Draw);
        Model = new ModelServer(swarm.Limits, Census.DeadlinesPerAdvance, world.Tally);
        _census = new Census(_core, Model, world);
    }

    public ModelServer Model { get; }

    /// <summary>How often a session ended, or was refused, for each reason.</summary>
    public int[] Reasons => _listener.Reasons;

    public TimeSpan NextDeadline => _core.NextDeadline;

    public TimeSpan Now => _core.Now;

    public void Advance(TimeSpan now)
    {
        _core.Advance(now);
        Model.Advance(now);
        _world.Trace.Add(now, TraceKind.Advanced, -1, Model.Seated, Model.Channels.Count);
        Compare();
    }

    public void Open(Connection connection, byte[] head)
    {
        Guest guest = connection.Client.Guest;
        Note(connection, TraceKind.Opened, head.Length);
        _draws.Clear();
        _drawsId = true;
        _core.Open(connection.Session, VisitorOf(guest), head);
        _drawsId = false;
        string? token = IsResumable ? Convert.ToHexStringLower(_draws[^1]) : null;
        _lastId = _draws[^(IsResumable ? 2 : 1)];
        bool isOurs = (int)(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(_lastId) % (uint)_shards) == _index;
        SimulationFailure.Unless(isOurs, "A new channel's id belongs to another shard", connection.Number);
        Model.Open(connection.Model, guest, head, ModelText.ChannelName(_lastId), token);
        Note(connection, TraceKind.Seated, connection.Model.Seat!.Channel.Number);
        Compare();
    }

    public void Join(Connection connection, byte[] id, byte[] head)
    {
        Guest guest = connection.Client.Guest;
        Note(connection, TraceKind.Joined, head.Length, id.Length);
        _draws.Clear();
        _core.Join(connection.Session, id, VisitorOf(guest), head);
        string? token = _draws.Count > 0 ? Convert.ToHexStringLower(_draws[0]) : null;
        Model.Join(connection.Model, guest, head, Encoding.Latin1.GetString(id), token);
        Note(connection, TraceKind.Seated, connection.Model.Seat?.Channel.Number ?? 0);
        Compare();
    }

    /// <summary>The connection that a resume would take over, of which the driver first hands in what has arrived.</summary>
    public Connection? Holder(Connection connection)
    {
        Session? holder = _core.Predecessor(connection.Client.Id, VisitorOf(connection.Client.Guest));
        return _holder = holder is null ? null : _world.Connections[((SimulatedSession)holder).Number];
    }

    public void Resume(Connection connection, byte[] id, byte[] head)
    {
        Guest guest = connection.Client.Guest;
        Note(connection, TraceKind.Resumed, head.Length, id.Length);
        _draws.Clear();
        _core.Resume(connection.Session, id, VisitorOf(guest), head);
        ModelSession? earlier = Model.Resume(connection.Model, guest, head, Encoding.Latin1.GetString(id), DrawnToken);
        bool wasNamed = earlier is null || earlier.Number == _holder?.Number;
        SimulationFailure.Unless(wasNamed, "A session was taken over, and the driver did not know which", connection.Number);
        Note(connection, TraceKind.Seated, connection.Model.Seat?.Channel.Number ?? 0);
        if (connection.Session.Seat is not null)
            connection.Client.Device?.NoteSeated(connection);
        Compare();
    }

    public void Refuse(Connection connection, byte[] head, EndReason refusal)
    {
        Guest guest = connection.Client.Guest;
        Note(connection, TraceKind.Refused);
        _core.Refuse(connection.Session, VisitorOf(guest), head, refusal);
        Model.Refuse(connection.Model, guest, head, refusal);
        Compare();
    }

    /// <returns>Octets consumed.</returns>
    public int Receive(Connection connection, Span<byte> input)
    {
        input.CopyTo(_copy);
        int length = input.Length;
        int consumed = _core.Receive(connection.Session, input);
        Note(connection, TraceKind.Received, length, consumed);
        _census.IsWithinRead = consumed < length;
        SimulationFailure.Unless(consumed > 0 && consumed <= length, $"{consumed} of {length} octets consumed", connection.Number);
        Model.Receive(connection.Model, _copy.AsSpan(0, consumed));
        if (consumed == length)
            Model.ReadAll(connection.Model);
        bool mayWait = consumed == length || Model.Changed.Exists(session => session.Pending > 0);
        SimulationFailure.Unless(mayWait, "Octets are left, and nobody has anything to write", connection.Number);
        RequireFairness(connection);
        Compare();
        return consumed;
    }

    public void InputEnded(Connection connection)
    {
        Note(connection, TraceKind.InputEnded);
        _core.InputEnded(connection.Session);
        Model.InputEnded(connection.Model);
        Compare();
    }

    /// <summary>Nothing can be written any more; what has arrived is still handed in.</summary>
    public void OutputBroken(Connection connection)
    {
        Note(connection, TraceKind.OutputBroken);
        _core.OutputBroken(connection.Session);
        Model.OutputBroken(connection.Model);
        Compare();
    }

    public void Broken(Connection connection)
    {
        Note(connection, TraceKind.Broken);
        _core.Broken(connection.Session);
        Model.Broken(connection.Model);
        Compare();
    }

    /// <summary>The socket has accepted these octets.</summary>
    public void Sent(Connection connection, ReadOnlySpan<byte> octets)
    {
        Note(connection, TraceKind.Sent, octets.Length, connection.Session.Unsent.Length);
        int count = octets.Length;
        // The octets may lie in the core's own buffer: the model looks at them first.
        Model.Sent(connection.Model, octets);
        _core.Sent(connection.Session, count);
        Compare();
    }

    public bool EndOldest(int most)
    {
        _world.Trace.Add(_core.Now, TraceKind.Stopping, -1);
        bool remain = _core.EndOldest(EndReason.ServerShutdown, most);
        Model.EndOldest(EndReason.ServerShutdown, most);
        Compare();
        return remain;
    }

    /// <summary>The next session that the core names; the driver serves it now.</summary>
    public bool TryTakeTouched(out Connection connection)
    {
        bool isThere = _core.TryTakeTouched(out Session session);
        connection = isThere ? _world.Connections[((SimulatedSession)session).Number] : null!;
        if (isThere)
        {
            Model.AboutToServe(connection.Model);
            connection.Model.IsChanged = false;
            Census.CheckSession(connection);
        }
        return isThere;
    }

    /// <summary>The core has named all that it had to name: nobody waits for what will never come.</summary>
    public void RequireAllServed()
    {
        foreach (ModelSession session in Model.Changed)
            SimulationFailure.Unless(!session.IsChanged, "The session has something to do and the driver was not told", session.Number);
        Model.Changed.Clear();
    }

    /// <summary>After the last session nothing may be left.</summary>
    public void RequireNothingLeft()
    {
        _census.CheckAll();
        SimulationFailure.Unless(Model.Unfinished.Count == 0, "Sessions outlive the world");
        SimulationFailure.Unless(_core.NextDeadline == TimeSpan.MaxValue, "A deadline outlives the world");
        SimulationFailure.Unless(_listener.Begun == _listener.Ended, "Sessions begun and sessions ended differ");
        _census.RequireAllReturned();
    }

    private bool IsResumable => _world.Swarm.Limits.ResumeWindow > TimeSpan.Zero;

    private static Visitor VisitorOf(Guest guest)
    {
        Visitor visitor = guest.Person.Visitor with { Version = guest.Version };
        return guest.Claim is null ? visitor : visitor with { Claim = ResumeClaim.Of(Encoding.Latin1.GetBytes(guest.Claim.Query)) };
    }

    private string DrawnToken()
    {
        SimulationFailure.Unless(_draws.Count == 1, $"{_draws.Count} tokens were drawn, not 1");
        return Convert.ToHexStringLower(_draws[0]);
    }

    private void Draw(Span<byte> octets)
    {
        // Once in a while chance repeats itself: an id that is taken must be drawn again.
        byte[] drawn = (byte[])_lastId.Clone();
        if (!_drawsId || _draws.Count > 0 || !_entropy.Chance(200))
            _entropy.Fill(drawn);
        _draws.Add(drawn);
        drawn.CopyTo(octets);
    }

    /// <summary>
    /// Who had read everything before a read of somebody else's bytes cannot be a slow consumer after it, however much came at once: the
    /// core asks for a flush in time. (Limits smaller than the core's own measure of "in time" are not held to this.)
    /// </summary>
    private void RequireFairness(Connection sender)
    {
        Limits limits = _world.Swarm.Limits;
        if (limits.OutboundMessages < 64 || limits.OutboundOctets < 256 * 1024)
            return;
        foreach (ModelSession session in Model.Changed)
        {
            bool isFair = session.Reason != EndReason.SlowConsumer || session.IsStalled;
            SimulationFailure.Unless(isFair, "A session that was not behind ended as a slow consumer", session.Number);
        }
    }

    private void Note(Connection connection, TraceKind kind, long first = 0, long second = 0) =>
        _world.Trace.Add(_core.Now, kind, connection.Number, first, second);

    private void Compare()
    {
        if (_listener.Bug is { } bug)
            throw new SimulationFailure($"The core failed: {bug}");
        List<Heard> heard = _listener.Heard;
        for (int i = 0; i < heard.Count; i++)
        {
            _world.Trace.Add(_core.Now, TraceKind.Heard, -1, ((int)heard[i].Kind << 8) | (int)heard[i].Reason, heard[i].Code);
            bool isExpected = i < Model.Heard.Count && heard[i] == Model.Heard[i];
            SimulationFailure.Unless(isExpected,
                $"The observer heard {heard[i]}; expected was {(i < Model.Heard.Count ? Model.Heard[i].ToString() : "nothing")}");
        }
        SimulationFailure.Unless(heard.Count == Model.Heard.Count, $"The observer did not hear {(Model.Heard.Count > 0 ? Model.Heard[^1] : default)}");
        heard.Clear();
        Model.Heard.Clear();

        SimulationFailure.Unless(_core.SessionCount == Model.Seated, $"{_core.SessionCount} sessions, not {Model.Seated}");
        SimulationFailure.Unless(_core.ChannelCount == Model.Channels.Count, $"{_core.ChannelCount} channels, not {Model.Channels.Count}");
        SimulationFailure.Unless(_listener.Begun == _listener.Ended + _core.SessionCount, "Sessions begun are not those ended and those alive");
        // The whole census costs as much as there are sessions, so its rhythm slows with them.
        if (_untilFullCheck-- > 0)
            return;
        _untilFullCheck = Model.Unfinished.Count / 8;
        _census.CheckAll();
    }
}
