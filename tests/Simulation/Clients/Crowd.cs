using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>All clients of a world: who comes when, what each does next, what each makes of what it sees.</summary>
internal sealed partial class Crowd(World world, Prng chance)
{
    private readonly List<string> _published = [];
    private readonly Queue<string> _unpaired = [];
    private readonly byte[] _room = new byte[64 * 1024];
    private Connection? _canaryOpener;
    private TimeSpan _calmSince;
    private int _drawn;

    /// <summary>Whether a pair that came after the faults could talk.</summary>
    public bool HasCanarySung { get; private set; }

    /// <summary>A client comes, and says when the next one does.</summary>
    public void Arrive()
    {
        Connect(DrawClient());
        if (_drawn < world.Swarm.Clients && !world.IsCalm)
            world.Enter(chance.Span(TimeSpan.FromMicroseconds(100), world.Swarm.ArrivalEvery), Happening.Arrive, null);
    }

    /// <summary>Whatever came to clients that come back is a run of what was said.</summary>
    public void RequireDelivered()
    {
        foreach (List<Device> devices in _devices.Values)
        {
            foreach (Device receiver in devices)
                devices.ForEach(receiver.RequireRun);
        }
    }

    /// <summary>The faults are over: whoever is there reads again, and leaves in a while. A new pair comes and talks.</summary>
    public void CalmDown()
    {
        _calmSince = world.Now;
        foreach (Connection connection in world.Connections)
        {
            Client client = connection.Client;
            if (client.IsLost)
                world.Enter(chance.Span(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(1)), Happening.Return, connection);
            if (client.IsGone || client.IsOver)
                continue;
            client.Reads = client.IsPolite = true;
            ScheduleRead(connection);
            Flush(connection);
            world.Enter(TimeSpan.FromSeconds(1), Happening.Act, connection);
        }
        _canaryOpener = Connect(new Client(world.Connections.Count, Temperament.Silent, Person.Draw(chance), [], [], chance.Fork()));
    }

    public void Act(Connection connection)
    {
        Client client = connection.Client;
        if (client.IsGone || client.IsOver)
            return;
        world.Trace.Add(world.Now, TraceKind.Act, connection.Number, (long)client.Temperament, client.Outgoing.Count);
        if (world.IsCalm)
        {
            Leave(connection);
            return;
        }
        if (client.Chance.Chance(world.Swarm.ResetPerMille))
        {
            world.Trace.Add(world.Now, TraceKind.NetworkReset, connection.Number);
            Reset(connection);
            world.EnterSoon(Happening.ResetDown, connection);
            return;
        }
        if (client.Chance.Chance(world.Swarm.VanishPerMille))
        {
            Vanish(connection);
            return;
        }
        Behave(connection);
        Flush(connection);
        if (!client.IsOver && !client.IsGone)
            world.Enter(client.Chance.Span(TimeSpan.FromMilliseconds(1), world.Swarm.Pace), Happening.Act, connection);
    }

    /// <summary>Gives the socket what it takes.</summary>
    public void Flush(Connection connection)
    {
        Client client = connection.Client;
        if (client.IsOver || client.IsGone || connection.Up.IsEnded)
            return;
        ReadOnlySpan<byte> waiting = client.Outgoing.Peek;
        bool isCut = client.CutUpAt >= 0 && !world.IsCalm && connection.Up.Written + waiting.Length >= client.CutUpAt;
        if (isCut)
            waiting = waiting[..Math.Max(0, client.CutUpAt - (int)connection.Up.Written)];
        int taken = connection.Up.Write(waiting);
        client.Outgoing.Drop(taken);
        if (isCut && taken == waiting.Length)
        {
            world.NoteWroteUp(connection);
            Sever(connection);
            return;
        }
        if (client.WantsEnd && client.Outgoing.Count == 0)
        {
            world.Trace.Add(world.Now, TraceKind.HalfClosed, connection.Number);
            connection.Up.End();
        }
        world.NoteWroteUp(connection);
    }

    public void ScheduleRead(Connection connection)
    {
        Client client = connection.Client;
        bool hasNews = connection.Down.Readable > 0 || (connection.Down.HasEndArrived && !client.HasSeenEnd);
        if (client.IsReadDue || client.IsOver || client.IsGone || !client.Reads || !hasNews)
            return;
        client.IsReadDue = true;
        bool isSlow = client.Temperament == Temperament.SlowReader && !world.IsCalm;
        world.Enter(isSlow ? client.Chance.Span(TimeSpan.FromMilliseconds(10), world.Swarm.Pace) : TimeSpan.Zero, Happening.ClientReads, connection);
    }

    public void Read(Connection connection)
    {
        Client client = connection.Client;
        client.IsReadDue = false;
        if (client.IsOver || client.IsGone || !client.Reads)
            return;
        bool isSlow = client.Temperament == Temperament.SlowReader && !world.IsCalm;
        int most = isSlow ? client.Chance.Between(1, 200) : _room.Length;
        bool isCut = client.CutDownAt >= 0 && !world.IsCalm && connection.Down.Taken + connection.Down.Readable >= client.CutDownAt;
        if (isCut)
            most = Math.Min(most, Math.Max(0, client.CutDownAt - (int)connection.Down.Taken));
        int taken = connection.Down.Read(_room.AsSpan(0, most));
        client.Incoming.Append(_room.AsSpan(0, taken));
        while (client.Incoming.TryTake(out int opcode, out byte[] payload))
            See(connection, opcode, payload);
        world.NoteReadDown(connection);
        if (isCut && connection.Down.Taken >= client.CutDownAt && !client.IsOver)
        {
            // Its last pongs may have left, or not.
            if (client.Chance.Chance(500))
                Flush(connection);
            Sever(connection);
            return;
        }
        if (connection.Down is { Readable: 0, HasEndArrived: true } && !client.HasSeenEnd)
            SeeEnd(connection);
        ScheduleRead(connection);
        Flush(connection);
    }

    /// <summary>The connection is reset at this end.</summary>
    public void BecomeOver(Connection connection)
    {
        connection.Client.IsOver = true;
        connection.Client.Outgoing.Clear();
        connection.Down.Clear();
        Lose(connection);
    }

    private static byte[] Encode(string id) => Encoding.Latin1.GetBytes(id);

    private Connection Connect(Client client)
    {
        Connection connection = new(world.Connections.Count, client, world.Swarm.KernelUp, world.Swarm.KernelDown);
        world.Connections.Add(connection);
        client.Device?.Connections.Add(connection);
        // Who comes back says nothing before it knows what has been accepted.
        if (client.Temperament == Temperament.Hasty && (client.Device is null || client.Claim is null))
        {
            client.ToSay = client.Chance.Between(1, 40);
            while (client.ToSay-- > 0)
                Say(connection);
            if (client.Chance.Chance(200))
                Chatter(connection);
        }
        Flush(connection);
        world.Driver.Post(connection, Letter.Arrived);
        if (!world.IsCalm)
            world.Enter(client.Chance.Span(TimeSpan.FromMilliseconds(1), world.Swarm.Pace), Happening.Act, connection);
        return connection;
    }

    private Client DrawClient()
    {
        _drawn++;
        Prng own = chance.Fork();
        Temperament temperament = DrawTemperament(own);
        ProtocolVersion version = own.Chance(world.Swarm.VersionTwoPerMille) ? ProtocolVersion.Two : ProtocolVersion.One;
        bool mayReturn = temperament is not Temperament.Silent and not Temperament.Hostile && own.Chance(world.Swarm.ReturnPerMille);
        // Somebody who never had a seat may claim one.
        Claim? claim = !mayReturn && own.Chance(world.Swarm.LiePerMille) ? new Claim(DrawToken(own), null) : null;
        return new Client(world.Connections.Count, temperament, Person.Draw(own), Encode(DrawId(own)), DrawHead(own), own)
        {
            Version = version,
            Claim = claim,
            Device = mayReturn ? new Device(_drawn, version, own.Chance(500), world.Tally) : null,
            CutDownAt = mayReturn ? DrawCut(own, isFirst: true) : -1,
            CutUpAt = mayReturn ? DrawCut(own, isFirst: true) : -1,
            Cut = (Cut)own.Below(3),
            Attack = (Attack)own.Below(Enum.GetValues<Attack>().Length),
            ToSay = own.Between(0, world.Swarm.IsPaired ? 40 : 12),
            IsPolite = temperament != Temperament.Hostile || own.Chance(500),
        };
    }

    private static byte[] DrawHead(Prng own) => own.Chance(500) ? []
        : Encoding.ASCII.GetBytes("HTTP/1.1 101 Switching Protocols\r\n" + new string('h', own.Below(150)) + "\r\n\r\n");

    private Temperament DrawTemperament(Prng own)
    {
        int sum = 0;
        foreach (int weight in world.Swarm.Temperaments)
            sum += weight;
        int at = own.Below(sum);
        int found = 0;
        while (at >= world.Swarm.Temperaments[found])
            at -= world.Swarm.Temperaments[found++];
        return (Temperament)found;
    }

    /// <summary>Nothing for a new channel; else mostly a living id, sometimes a dead one or a wrong one.</summary>
    private string DrawId(Prng own)
    {
        if (world.Swarm.IsPaired && own.Chance(900))
            return _unpaired.TryDequeue(out string? open) ? open : "";
        if (_published.Count == 0 || own.Chance(350))
            return own.Chance(950) ? "" : own.Pick("=", "x", "AAAAAAAAAAAAAAAAAAAAAA", "../../etc/passwd", "\u00ff\u00fe");
        int back = own.Chance(850) ? own.Below(Math.Min(4, _published.Count)) : own.Below(_published.Count);
        string id = _published[^(1 + back)];
        return own.Below(40) switch
        {
            0 => id + "=",
            1 => id + "==",
            2 => id[..21],
            3 => id + "A",
            // The last character carries two bits: these are aliases of no one.
            4 => id[..21] + (char)(id[21] + 1),
            5 => id.ToUpperInvariant(),
            6 => id + "=A",
            _ => id,
        };
    }
}
