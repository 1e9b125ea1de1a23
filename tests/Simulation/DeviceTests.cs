using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>The judge at the clients' end is checked too: it must see what it is there to see.</summary>
public sealed class DeviceTests
{
    private const string First = "00000000000000000000000000000001";
    private const string Second = "00000000000000000000000000000002";

    private readonly Tally _tally = new();

    [Fact]
    public void It_is_content_when_each_message_comes_once()
    {
        Device device = Met(saysReceived: true);
        Connection again = Resume(device, received: "2");
        device.SeePing(again, "2"u8.ToArray());
        Hear(device, again, "8.3.");

        Device sender = new(8, ProtocolVersion.One, saysReceived: false, _tally);
        for (int i = 0; i < 3; i++)
            sender.Say(100, new Prng(1), TimeSpan.Zero);
        device.RequireRun(sender);
        Assert.Equal((3, 1, 0), (_tally.Messages, _tally.Resumes, _tally.Doubtful));
    }

    [Fact]
    public void It_counts_a_repetition_that_nobody_could_avoid()
    {
        Device device = Met(saysReceived: false);
        Connection again = Resume(device, received: null);
        device.SeePing(again, "1"u8.ToArray());
        Hear(device, again, "8.2.");
        Hear(device, again, "8.3.");
        Assert.Equal((3, 1, 1, 1), (_tally.Messages, _tally.Doubtful, _tally.Repeating, _tally.Repeated));
    }

    [Fact]
    public void It_notices_a_repetition_of_what_was_said_to_be_there()
    {
        Device device = Met(saysReceived: true);
        Connection again = Resume(device, received: "2");
        Assert.Throws<SimulationFailure>(() => device.SeePing(again, "1"u8.ToArray()));
    }

    [Fact]
    public void It_notices_a_repetition_of_what_its_pong_has_acknowledged()
    {
        Device device = Met(saysReceived: false);
        // The pong behind the second envelope was read by the server.
        Connection before = device.Connections[0];
        before.Client.Pongs.Add((2, 100));
        before.UpHeard = 100;
        Connection again = Resume(device, received: null);
        device.NoteSeated(again);
        Assert.Throws<SimulationFailure>(() => device.SeePing(again, "1"u8.ToArray()));
    }

    [Fact]
    public void It_notices_a_message_that_is_lost()
    {
        Device device = Met(saysReceived: false);
        Connection again = Resume(device, received: null);
        Assert.Throws<SimulationFailure>(() => device.SeePing(again, "3"u8.ToArray()));

        Device sender = new(8, ProtocolVersion.One, saysReceived: false, _tally);
        for (int i = 0; i < 4; i++)
            sender.Say(100, new Prng(1), TimeSpan.Zero);
        Hear(device, device.Connections[0], "8.4.");
        Assert.Throws<SimulationFailure>(() => device.RequireRun(sender));
    }

    [Fact]
    public void It_notices_another_message_in_the_place_of_one()
    {
        Device device = Met(saysReceived: false);
        Connection again = Resume(device, received: null);
        device.SeePing(again, "1"u8.ToArray());
        Assert.Throws<SimulationFailure>(() => Hear(device, again, "8.3."));
    }

    [Fact]
    public void It_notices_messages_in_the_wrong_order()
    {
        Device device = Met(saysReceived: false);
        Assert.Throws<SimulationFailure>(() => Hear(device, device.Connections[0], "8.1."));
    }

    /// <summary>A device that has joined, and has heard two messages of device 8.</summary>
    private Device Met(bool saysReceived)
    {
        Device device = new(7, ProtocolVersion.One, saysReceived, _tally);
        Connection connection = Connect(device, claim: null);
        device.SeeText(connection, Greeting(First, ""), TimeSpan.Zero);
        Hear(device, connection, "8.1.");
        Hear(device, connection, "8.2.");
        return device;
    }

    private static Connection Resume(Device device, string? received)
    {
        Connection connection = Connect(device, new Claim(First, received));
        device.SeeText(connection, Greeting(Second, "\"received\":0,"), TimeSpan.Zero);
        return connection;
    }

    private static Connection Connect(Device device, Claim? claim)
    {
        Client client = new(device.Connections.Count, Temperament.Orderly, Person.Nobody, [], [], new Prng(1)) { Device = device, Claim = claim };
        Connection connection = new(device.Connections.Count, client, 64, 64);
        device.Connections.Add(connection);
        return connection;
    }

    private static byte[] Greeting(string token, string received) =>
        Encoding.ASCII.GetBytes($"{{\"channelid\":\"c\",\"link\":\"/v1/ws/c\",{received}\"resume\":\"{token}\"}}");

    private static void Hear(Device device, Connection connection, string message) =>
        device.SeeText(connection, Encoding.ASCII.GetBytes($"{{\"message\":\"{message}\",\"sender\":{{}}}}"), TimeSpan.Zero);
}
