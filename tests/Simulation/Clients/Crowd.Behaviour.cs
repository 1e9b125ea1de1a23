using System.Text;

namespace ChannelServer.Simulation;

/// <summary>What clients do by themselves, and in answer to what they see.</summary>
internal sealed partial class Crowd
{
    private static readonly byte[] _song = "canary"u8.ToArray();

    private void Behave(Connection connection)
    {
        Client client = connection.Client;
        if (client.Temperament == Temperament.Hostile)
        {
            bool isStill = client.Name is null && client.Chance.Chance(500);
            if (!isStill && client.Outgoing.Count < 256 * 1024)
                Attacks.Append(client.Outgoing, client.Attack, world.Swarm.Limits, client.Chance);
            return;
        }
        if (client.Name is null || client.Temperament == Temperament.Silent || client.HasSentClose || client.HasSeenClose || client.WantsEnd)
            return;
        // Mostly the one who joins speaks first.
        if (client.Device is { Seen: 0 } && client.Id.Length == 0 && client.Chance.Chance(950))
            return;
        if (client.ToSay > 0)
        {
            client.ToSay--;
            if (client.Chance.Chance(30))
                Chatter(connection);
            else
                Say(connection);
            return;
        }
        switch (client.Temperament)
        {
            case Temperament.StoppingReader:
                client.Reads = false;
                client.ToSay = client.Chance.Between(1, 30);
                return;
            case Temperament.Vanishing:
                Vanish(connection);
                return;
            case Temperament.Resetting:
                world.Trace.Add(world.Now, TraceKind.ClientReset, connection.Number);
                Reset(connection);
                return;
            case Temperament.HalfClosing:
                if (client.Chance.Chance(500))
                    ClientFrames.Header(client.Outgoing, 0x81, 100);
                client.WantsEnd = true;
                return;
            default:
                // Some stay until the server ends it.
                if (client.Chance.Chance(300))
                    SendClose(client);
                return;
        }
    }

    /// <summary>What gets through a narrow socket before everybody loses patience.</summary>
    private int LongestSaying => Math.Min(world.Swarm.Limits.MaxMessage, 16 * world.Swarm.KernelUp);

    private void Say(Connection connection)
    {
        Client client = connection.Client;
        if (client.Device is { } device)
        {
            Say(connection, device.Say(LongestSaying, client.Chance, world.Now), device.Said.Count);
            return;
        }
        if (client.Chance.Chance(100))
            ClientFrames.Frame(client.Outgoing, client.Chance.Pick(0x89, 0x8A), "?"u8, client.Chance);
        ClientFrames.Message(client.Outgoing, ClientFrames.Text(world.Swarm.Limits, client.Chance), world.Swarm.Limits, client.Chance);
    }

    private void Say(Connection connection, byte[] text, int place)
    {
        Client client = connection.Client;
        ClientFrames.Message(client.Outgoing, text, world.Swarm.Limits, client.Chance);
        client.Sayings.Add((place, connection.Up.Written + client.Outgoing.Count));
    }

    /// <summary>Many short messages at once: more than the queue of any receiver holds.</summary>
    private void Chatter(Connection connection)
    {
        Client client = connection.Client;
        for (int i = client.Chance.Between(50, 300); i > 0; i--)
        {
            if (client.Device is { } device)
                Say(connection, device.Say(LongestSaying, client.Chance, world.Now), device.Said.Count);
            else
                ClientFrames.Frame(client.Outgoing, 0x81, "x"u8, client.Chance);
        }
    }

    private void SendClose(Client client)
    {
        if (client.HasSentClose)
            return;
        client.HasSentClose = true;
        client.ClosedWith = ClientFrames.Close(client.Outgoing, client.Chance);
        if (client.Device is not { } device)
            return;
        device.IsDone = true;
        if (client.HasGreeting && !client.HasSeenClose)
            client.Owed = device.Owed(_devices[device.Name!]);
    }

    /// <summary>After the faults everybody goes: with a close frame, and then without waiting for long.</summary>
    private void Leave(Connection connection)
    {
        Client client = connection.Client;
        if (client.HasSentClose || client.HasSeenClose)
        {
            client.WantsEnd = true;
        }
        else
        {
            SendClose(client);
            world.Enter(TimeSpan.FromSeconds(1), Happening.Act, connection);
        }
        Flush(connection);
    }

    private void Vanish(Connection connection)
    {
        world.Trace.Add(world.Now, TraceKind.Vanished, connection.Number);
        connection.Client.IsGone = true;
        Lose(connection);
    }

    private void Reset(Connection connection)
    {
        BecomeOver(connection);
        world.EnterSoon(Happening.ResetUp, connection);
    }

    /// <summary>The client must see exactly what the model says, frame by frame.</summary>
    private void See(Connection connection, int opcode, byte[] payload)
    {
        Client client = connection.Client;
        world.Trace.Add(world.Now, TraceKind.Saw, connection.Number, opcode, payload.Length);
        List<ModelFrame> expected = connection.Model.Frames;
        SimulationFailure.Unless(client.Seen < expected.Count, $"The client saw a frame of opcode {opcode} too many", connection.Number);
        ModelFrame frame = expected[client.Seen++];
        bool isSame = frame.Opcode == opcode && frame.Payload.AsSpan().SequenceEqual(payload);
        SimulationFailure.Unless(isSame, $"The client saw opcode {opcode} with {payload.Length} octets, not {frame.Opcode} with {frame.Payload.Length}", connection.Number);
        switch (opcode)
        {
            case ModelFrame.Text when client.Device is not null:
                SeeText(connection, client.Device, payload);
                return;
            case ModelFrame.Text when client.Name is null:
                // A refused client of version 2 is told so in a frame without a channel.
                int name = payload.AsSpan().IndexOf("channelid\":\""u8);
                if (name < 0)
                    return;
                client.Name = Encoding.ASCII.GetString(payload, name + 12, 22);
                SeeGreeting(connection);
                return;
            case ModelFrame.Text:
                HasCanarySung |= connection == _canaryOpener && payload.AsSpan().IndexOf(_song) > 0;
                return;
            case ModelFrame.Ping:
                client.Device?.SeePing(connection, payload);
                if (Answers(client))
                    Answer(connection, payload);
                return;
            case ModelFrame.Close:
                client.HasSeenClose = true;
                if (client.Device is not null)
                    SeeClose(connection, client.Device, (payload[0] << 8) | payload[1]);
                if (client.IsPolite && !client.WantsEnd)
                    SendClose(client);
                client.WantsEnd |= client.IsPolite;
                return;
            default:
                return;
        }
    }

    private static void Answer(Connection connection, byte[] payload)
    {
        Client client = connection.Client;
        ClientFrames.Frame(client.Outgoing, 0x8A, payload, client.Chance);
        if (client.Device is not null && payload.Length > 0)
            client.Pongs.Add((client.Position, connection.Up.Written + client.Outgoing.Count));
    }

    /// <summary>Whether it answers a ping. Behind half an attack a pong would be part of it.</summary>
    private static bool Answers(Client client) =>
        client.Temperament != Temperament.Silent && !client.HasSentClose && !client.WantsEnd
        && (client.Temperament != Temperament.Hostile || client.Attack is Attack.PingFlood or Attack.PongFlood);

    private void SeeGreeting(Connection connection)
    {
        Client client = connection.Client;
        if (client.Id.Length == 0)
        {
            _published.Add(client.Name!);
            _unpaired.Enqueue(client.Name!);
        }
        if (!world.IsCalm)
            return;
        if (connection == _canaryOpener)
        {
            Connect(new Client(world.Connections.Count, Temperament.Silent, Person.Draw(chance), Encode(client.Name!), [], chance.Fork()));
        }
        else if (_canaryOpener is not null && client.Name == _canaryOpener.Client.Name)
        {
            ClientFrames.Frame(client.Outgoing, 0x81, _song, client.Chance);
            world.Enter(TimeSpan.FromSeconds(1), Happening.Act, connection);
            world.Enter(TimeSpan.FromSeconds(1), Happening.Act, _canaryOpener);
        }
    }

    /// <summary>Who stayed and read has seen all of it.</summary>
    private void SeeEnd(Connection connection)
    {
        Client client = connection.Client;
        client.HasSeenEnd = true;
        bool isComplete = client.Seen == connection.Model.Frames.Count && client.Incoming.Left == 0;
        SimulationFailure.Unless(isComplete || connection.Model.Pending > 0, "The stream ended before the client saw everything", connection.Number);
        client.WantsEnd |= client.IsPolite;
        Lose(connection);
    }
}
