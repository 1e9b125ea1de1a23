using System.Text;

namespace ChannelServer.Simulation;

/// <summary>All clients of a world: who comes when, what each does next, what each makes of what it sees.</summary>
internal sealed partial class Crowd(World world, Prng chance)
{
    private readonly List<string> _published = [];
    private readonly byte[] _room = new byte[64 * 1024];
    private Connection? _canaryOpener;
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

    /// <summary>The faults are over: whoever is there reads again, and leaves in a while. A new pair comes and talks.</summary>
    public void CalmDown()
    {
        foreach (Connection connection in world.Connections)
        {
            Client client = connection.Client;
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
        int taken = connection.Up.Write(client.Outgoing.Peek);
        client.Outgoing.Drop(taken);
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
        int taken = connection.Down.Read(_room.AsSpan(0, isSlow ? client.Chance.Between(1, 200) : _room.Length));
        client.Incoming.Append(_room.AsSpan(0, taken));
        while (client.Incoming.TryTake(out int opcode, out byte[] payload))
            See(connection, opcode, payload);
        world.NoteReadDown(connection);
        if (connection.Down is { Readable: 0, HasEndArrived: true } && !client.HasSeenEnd)
            SeeEnd(connection);
        ScheduleRead(connection);
        Flush(connection);
    }

    /// <summary>The connection is reset at this end.</summary>
    public static void BecomeOver(Connection connection)
    {
        connection.Client.IsOver = true;
        connection.Client.Outgoing.Clear();
        connection.Down.Clear();
    }

    private static byte[] Encode(string id) => Encoding.Latin1.GetBytes(id);

    private Connection Connect(Client client)
    {
        Connection connection = new(world.Connections.Count, client, world.Swarm.KernelUp, world.Swarm.KernelDown);
        world.Connections.Add(connection);
        if (client.Temperament == Temperament.Hasty)
        {
            client.ToSay = client.Chance.Between(1, 40);
            while (client.ToSay-- > 0)
                Say(client);
            if (client.Chance.Chance(200))
                Chatter(client);
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
        byte[] head = own.Chance(500) ? [] : Encoding.ASCII.GetBytes("HTTP/1.1 101 Switching Protocols\r\n" + new string('h', own.Below(150)) + "\r\n\r\n");
        return new Client(world.Connections.Count, temperament, Person.Draw(own), Encode(DrawId(own)), head, own)
        {
            Attack = (Attack)own.Below(Enum.GetValues<Attack>().Length),
            ToSay = own.Between(0, 12),
            IsPolite = temperament != Temperament.Hostile || own.Chance(500),
        };
    }

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
