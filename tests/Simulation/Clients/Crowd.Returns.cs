using System.Globalization;

namespace ChannelServer.Simulation;

/// <summary>How connections are lost, and how clients come back.</summary>
internal sealed partial class Crowd
{
    private const int MostReturns = 12;

    /// <summary>By channel, in the order of their greetings.</summary>
    private readonly SortedDictionary<string, List<Device>> _devices = new(StringComparer.Ordinal);

    /// <summary>A client that lost its connection claims its seat, sometimes twice at once.</summary>
    public void Return(Connection lost)
    {
        Device device = lost.Client.Device!;
        bool isElsewhere = device.Connections.Exists(connection => !connection.Client.IsLost);
        // After the faults whoever may come back does so soon, or never.
        if (world.IsCalm && world.Now > _calmSince + TimeSpan.FromSeconds(5))
            return;
        if (isElsewhere || device.IsDone || device.Token is null || device.Returns++ == MostReturns)
            return;
        device.HasRaced |= !world.IsCalm && chance.Chance(100);
        ComeBack(device);
        if (device.HasRaced && chance.Chance(500))
            ComeBack(device);
    }

    /// <summary>The connection ends here, without a close frame.</summary>
    private void Sever(Connection connection)
    {
        Client client = connection.Client;
        world.Trace.Add(world.Now, TraceKind.Cut, connection.Number, (long)client.Cut);
        switch (client.Cut)
        {
            case Cut.Reset:
                Reset(connection);
                return;
            case Cut.End:
                client.Outgoing.Clear();
                connection.Up.End();
                world.NoteWroteUp(connection);
                client.IsOver = true;
                Lose(connection);
                return;
            default:
                Vanish(connection);
                return;
        }
    }

    /// <summary>A client knows that its connection is lost.</summary>
    private void Lose(Connection connection)
    {
        Client client = connection.Client;
        if (client.Device is not { } device || client.IsLost)
            return;
        client.IsLost = true;
        TimeSpan longest = world.IsCalm ? TimeSpan.FromSeconds(1) : 2 * world.Swarm.Limits.ResumeWindow + TimeSpan.FromMilliseconds(10);
        if (!world.IsCalm && device.Connections.Count > 1)
            longest = TimeSpan.FromMilliseconds(longest.TotalMilliseconds / 4);
        world.Enter(client.Chance.Span(TimeSpan.FromMicroseconds(100), longest), Happening.Return, connection);
    }

    private void ComeBack(Device device)
    {
        Prng own = chance.Fork();
        bool isHonest = world.IsCalm || !own.Chance(world.Swarm.LiePerMille);
        string? received = device.SaysReceived ? Number(device.Seen) : null;
        Person person = device.Connections[^1].Client.Person;
        Temperament temperament = DrawTemperament(own);
        bool isFit = !world.IsCalm && temperament is not Temperament.Silent and not Temperament.Hostile;
        bool isElsewhere = !isHonest && own.Chance(100);
        bool isOtherVersion = !isHonest && own.Chance(100);
        Client client = new(world.Connections.Count, isFit ? temperament : Temperament.Orderly, own.Chance(300) ? Person.Draw(own) : person,
            Encode(isElsewhere ? own.Pick("", "x", _published[own.Below(_published.Count)]) : device.Name!), DrawHead(own), own)
        {
            Version = isOtherVersion ? 1 - device.Version : device.Version,
            // A token and a channel both from elsewhere could be somebody else's seat.
            Claim = isHonest || isElsewhere ? new Claim(device.Token!, received) : DrawLie(device, received, own),
            IsHonest = isHonest,
            Device = device,
            CutDownAt = DrawCut(own),
            CutUpAt = DrawCut(own),
            Cut = (Cut)own.Below(3),
            ToSay = own.Between(0, world.Swarm.IsPaired ? 20 : 6),
        };
        // A number from before, which nobody has asked for on this connection: true, and no sign that the greeting has come.
        if (!world.IsCalm && own.Chance(2 * world.Swarm.LiePerMille))
            ClientFrames.Frame(client.Outgoing, 0x8A, Encode(Number(own.Below(Math.Max(1, device.Seen)))), own);
        Connection connection = Connect(client);
        if (world.IsCalm)
            world.Enter(TimeSpan.FromSeconds(2), Happening.Act, connection);
    }

    private Claim DrawLie(Device device, string? received, Prng own)
    {
        string token = device.Token!;
        return own.Below(7) switch
        {
            0 => new Claim(DrawToken(own), received),
            1 => new Claim(device.TokenBefore ?? token, received),
            2 => new Claim(ForeignToken(device, own) ?? "", received),
            3 => new Claim(own.Pick("", "x", token.ToUpperInvariant(), token + "0", token[..31], token[..31] + "g"), received),
            4 => new Claim(token, own.Pick("", "x", "-1", "1x", "99999999999", " 1")),
            5 => new Claim(token, Number(device.Seen + own.Pick(1, 2, 10_000, int.MaxValue - 10_000))),
            _ => new Claim(token, Number(Math.Max(0, device.Seen - own.Below(4)))),
        };
    }

    private string? ForeignToken(Device device, Prng own)
    {
        int at = own.Below(_devices.Count);
        (string name, List<Device> others) = _devices.ElementAt(at);
        return name == device.Name ? null : own.Pick(others.ToArray()).Token;
    }

    private static string DrawToken(Prng own)
    {
        byte[] octets = new byte[16];
        own.Fill(octets);
        return Convert.ToHexStringLower(octets);
    }

    /// <summary>
    /// Early octets are the interesting ones of who comes back: there are the greeting and the replay. Who is lost before its first greeting has no seat to
    /// come back to.
    /// </summary>
    private int DrawCut(Prng own, bool isFirst = false)
    {
        if (!own.Chance(world.Swarm.CutPerMille / 2))
            return -1;
        return isFirst ? own.Below(own.Pick(50, 1500, 6000, 20_000)) : own.Below(own.Pick(50, 400, 1500, 6000));
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);

    private void SeeText(Connection connection, Device device, byte[] payload)
    {
        if (!device.SeeText(connection, payload, world.Now))
            return;
        Client client = connection.Client;
        client.Name = device.Name;
        if (client.Claim is null)
        {
            if (!_devices.TryGetValue(device.Name!, out List<Device>? devices))
                _devices.Add(device.Name!, devices = []);
            devices.Add(device);
        }
        // Of a race the first greeting wins here. The server may see it otherwise: then it closes this connection, and there is another return.
        foreach (Connection other in device.Connections)
        {
            if (other != connection && !other.Client.IsLost)
                Reset(other);
        }
        int place = device.Confirmed;
        foreach (byte[] text in client.Claim is null ? [] : device.SayAgain())
            Say(connection, text, ++place);
        SeeGreeting(connection);
    }

    private static void SeeClose(Connection connection, Device device, int code)
    {
        Client client = connection.Client;
        if (client.Owed is not null && code == client.ClosedWith)
            device.RequireHeard(client.Owed);
        bool isTakenOver = code == 4401 && client.HasGreeting;
        bool mayTryAgain = code == 4401 && (!client.IsHonest || device.HasRaced);
        device.IsDone |= code != 4408 && !isTakenOver && !mayTryAgain;
    }
}
