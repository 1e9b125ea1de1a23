using System.Globalization;
using System.Text;
using System.Text.Json;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>Something that a device has said: a number that only grows, and when.</summary>
internal readonly record struct Saying(int Tag, TimeSpan At);

/// <summary>
/// One participant over all its connections. It keeps what a device keeps: the token of its last greeting, what it has said, how much it has seen. And it
/// is the judge from the clients' side: each message of the others arrives once and in order. It knows neither the core nor the model.
/// </summary>
internal sealed class Device(int number, ProtocolVersion version, bool saysReceived, Tally tally)
{
    private readonly List<(int Length, string Start)> _heard = [];
    private readonly Dictionary<string, string> _peers = [];
    private int _tags;

    public int Number { get; } = number;

    public ProtocolVersion Version { get; } = version;

    /// <summary>Whether it says how many envelopes it has seen, when it comes back.</summary>
    public bool SaysReceived { get; } = saysReceived;

    public List<Connection> Connections { get; } = [];

    public string? Name { get; private set; }

    public string? Token { get; private set; }

    public string? TokenBefore { get; private set; }

    /// <summary>When the first greeting came.</summary>
    public TimeSpan GreetedAt { get; private set; }

    /// <summary>What it has said and, as far as it can know, the server has accepted or may yet accept.</summary>
    public List<Saying> Said { get; } = [];

    /// <summary>How much of it the server has said that it has accepted.</summary>
    public int Confirmed { get; private set; }

    /// <summary>Envelopes seen.</summary>
    public int Seen => _heard.Count;

    /// <summary>By sender, what it said, in the order in which it came.</summary>
    public SortedDictionary<int, List<int>> From { get; } = [];

    /// <summary>Whether its seat is gone, by its own will or the server's.</summary>
    public bool IsDone { get; set; }

    public int Returns { get; set; }

    /// <summary>Whether it ever came back on two connections at once; then a repetition is its own doing.</summary>
    public bool HasRaced { get; set; }

    /// <summary>Whether it has said that it has what it has not, and was believed: what it misses then is its own doing.</summary>
    private bool IsForfeit { get; set; }

    /// <summary>
    /// The most that a lie of its has said it has, on a connection that was given the seat. That connection may be gone before its greeting arrives, and
    /// the next one, which is honest, then finds what was believed.
    /// </summary>
    private int Believed { get; set; }

    /// <summary>The envelope up to which its pongs are known to have arrived.</summary>
    private int Floor { get; set; }

    /// <summary>How much of what it has said is known to have arrived.</summary>
    private int Arrived { get; set; }

    /// <summary>The next thing to say.</summary>
    /// <param name="longest">Octets at most.</param>
    /// <param name="chance">For its length.</param>
    /// <param name="now">The time.</param>
    public byte[] Say(int longest, Prng chance, TimeSpan now)
    {
        Saying saying = new(++_tags, now);
        Said.Add(saying);
        int size = chance.Below(20) switch { 0 => longest, 1 => 5000, 2 => 130, _ => chance.Below(60) };
        return Text(saying, Math.Min(size, longest));
    }

    /// <summary>What the server had not accepted, in the order in which it was said.</summary>
    public List<byte[]> SayAgain() => Version == ProtocolVersion.Two ? Said.Skip(Confirmed).Select(saying => Text(saying, 0)).ToList() : [];

    /// <summary>The seat is being claimed. What has arrived until now on earlier connections has arrived.</summary>
    public void NoteClaim() => Connections.ForEach(connection => connection.NoteArrived());

    /// <summary>The server has given the seat to this connection.</summary>
    public void NoteSeated(Connection connection)
    {
        if (!connection.Client.IsHonest && int.TryParse(connection.Client.Claim!.Received, CultureInfo.InvariantCulture, out int lie))
            Believed = Math.Max(Believed, lie);
        foreach (Connection earlier in Connections)
        {
            if (earlier == connection || earlier.Client.IsSuperseded)
                continue;
            // Who was too silent is not heard any more, whatever arrives later.
            long arrived = earlier.Model.Reason == EndReason.ClientTimeout ? earlier.UpHeard : Math.Max(earlier.UpHeard, earlier.UpArrived);
            foreach ((int envelope, long end) in earlier.Client.Pongs)
                Floor = end <= arrived ? Math.Max(Floor, envelope) : Floor;
            foreach ((int place, long end) in earlier.Client.Sayings)
                Arrived = end <= arrived ? Math.Max(Arrived, place) : Arrived;
            earlier.Client.IsSuperseded = earlier.Session.Seat is null;
        }
    }

    /// <summary>A text frame has come.</summary>
    /// <returns>Whether it was a greeting.</returns>
    public bool SeeText(Connection connection, byte[] payload, TimeSpan now)
    {
        Client client = connection.Client;
        if (IsForfeit)
            return false;
        using JsonDocument json = JsonDocument.Parse(payload);
        JsonElement frame = json.RootElement;
        string type = frame.TryGetProperty("type", out JsonElement told) ? told.GetString()! : client.HasGreeting ? "message" : "greeting";
        switch (type)
        {
            case "greeting":
                SeeGreeting(connection, frame, now);
                return true;
            case "message":
                int? seq = Version == ProtocolVersion.Two ? frame.GetProperty("seq").GetInt32() : null;
                Hear(connection, frame.GetProperty("message").GetString()!, seq);
                return false;
            case "ack":
                int received = frame.GetProperty("received").GetInt32();
                Require(received > Confirmed && received <= Said.Count, $"The server acknowledged {received} messages of {Said.Count}", connection);
                Confirmed = received;
                return false;
            case "peer":
                SeePeer(connection, frame);
                return false;
            default:
                return false;
        }
    }

    /// <summary>A ping that tells a number has come.</summary>
    public void SeePing(Connection connection, byte[] payload)
    {
        Client client = connection.Client;
        if (IsForfeit)
            return;
        if (payload.Length == 0)
        {
            Require(!client.AwaitsBase, "No number behind the greeting", connection);
            return;
        }
        int told = int.Parse(Encoding.ASCII.GetString(payload), CultureInfo.InvariantCulture);
        if (!client.AwaitsBase)
        {
            Require(told == client.Position, $"A ping says {told} behind envelope {client.Position}", connection);
            return;
        }
        client.AwaitsBase = false;
        client.Position = told;
        string? said = client.Claim!.Received;
        if (said is not null)
            Require(said == told.ToString(CultureInfo.InvariantCulture), $"Received were {said}, and the replay begins behind {told}", connection);
        else
            Require(told >= Floor, $"The pong to {Floor} had arrived, and the replay begins behind {told}", connection);
        if (told > Seen && (!client.IsHonest || told <= Believed))
        {
            IsForfeit = IsDone = true;
            return;
        }
        Require(told <= Seen, $"{Seen} envelopes had come, and the replay begins behind {told}", connection);
        tally.Resumes++;
        if (!IsDoubtful(client))
            return;
        tally.Doubtful++;
        client.MayRepeat = true;
    }

    /// <summary>What came from somebody is a run of what was said, without a hole.</summary>
    public void RequireRun(Device sender)
    {
        if (IsForfeit || !From.TryGetValue(sender.Number, out List<int>? tags))
            return;
        int at = sender.Said.FindIndex(saying => saying.Tag == tags[0]);
        for (int i = 0; i < tags.Count; i++)
        {
            bool isNext = at >= 0 && at + i < sender.Said.Count && sender.Said[at + i].Tag == tags[i];
            Require(isNext, $"Of what device {sender.Number} said, {tags[i]} arrived at device {Number} where something else was to", Connections[^1]);
        }
    }

    /// <summary>What others know to be accepted, since this one is here: its last saying for each must have come when this one leaves.</summary>
    public Dictionary<Device, int> Owed(IEnumerable<Device> others)
    {
        Dictionary<Device, int> owed = [];
        foreach (Device other in others)
        {
            if (other != this && other.Confirmed > 0 && other.Said[other.Confirmed - 1].At > GreetedAt)
                owed.Add(other, other.Said[other.Confirmed - 1].Tag);
        }
        return owed;
    }

    public void RequireHeard(Dictionary<Device, int> owed)
    {
        foreach ((Device sender, int tag) in IsForfeit ? [] : owed)
        {
            bool hasHeard = From.TryGetValue(sender.Number, out List<int>? tags) && tags[^1] >= tag;
            Require(hasHeard, $"Message {tag} of device {sender.Number} was accepted and never came to device {Number}", Connections[^1]);
        }
    }

    private bool IsDoubtful(Client client) => Version == ProtocolVersion.One && client.Claim!.Received is null && !HasRaced;

    private void SeeGreeting(Connection connection, JsonElement frame, TimeSpan now)
    {
        Client client = connection.Client;
        bool isFirst = Token is null && Name is null;
        Require(!client.HasGreeting, "A second greeting", connection);
        Require(isFirst == client.Claim is null, "A greeting that is not asked for", connection);
        client.HasGreeting = true;
        string name = frame.GetProperty("channelid").GetString()!;
        if (isFirst)
            GreetedAt = now;
        else
            Require(name == Name, "Back in another channel", connection);
        Name = name;
        _peers.Clear();
        if (Version == ProtocolVersion.Two)
        {
            foreach (JsonElement peer in frame.GetProperty("peers").EnumerateArray())
                _peers.Add(peer.GetProperty("peer").GetString()!, peer.GetProperty("state").GetString()!);
        }
        string? token = frame.TryGetProperty("resume", out JsonElement told) ? told.GetString() : null;
        if (token != Token)
            (TokenBefore, Token) = (Token, token);
        if (isFirst)
            return;
        client.AwaitsBase = true;
        int received = frame.GetProperty("received").GetInt32();
        Require(received >= Confirmed && received <= Said.Count, $"{received} of {Said.Count} messages accepted, {Confirmed} before", connection);
        Require(received >= Arrived, $"{Arrived} messages had arrived, and {received} are accepted", connection);
        Confirmed = received;
        // Version 1 does not say it again: what was not accepted is lost on its way up.
        if (Version == ProtocolVersion.One)
            Said.RemoveRange(received, Said.Count - received);
    }

    /// <summary>What is told of a peer fits what was told before.</summary>
    private void SeePeer(Connection connection, JsonElement frame)
    {
        string peer = frame.GetProperty("peer").GetString()!;
        string state = frame.GetProperty("state").GetString()!;
        string before = _peers.GetValueOrDefault(peer, "nobody");
        bool fits = state switch
        {
            "joined" => before == "nobody",
            "away" => before == "here",
            _ => before != "nobody",
        };
        Require(fits, $"Peer {peer} was {before} and is told to be {state}", connection);
        if (state == "left")
            _peers.Remove(peer);
        else
            _peers[peer] = state == "away" ? "away" : "here";
    }

    private void Hear(Connection connection, string message, int? seq)
    {
        Client client = connection.Client;
        Require(!client.AwaitsBase, "An envelope before the number behind the greeting", connection);
        int envelope = ++client.Position;
        Require(seq is null || seq == envelope, $"The server says number {seq}, not {envelope}", connection);
        (int, string) what = (message.Length, message[..Math.Min(message.Length, 24)]);
        if (envelope <= Seen)
        {
            Require(_heard[envelope - 1] == what, $"Envelope {envelope} came again, and is another one", connection);
            if (!client.MayRepeat)
                return;
            tally.Repeated++;
            tally.Repeating += client.HasRepeated ? 0 : 1;
            client.HasRepeated = true;
            return;
        }
        _heard.Add(what);
        tally.Messages++;
        string[] parts = message.Split('.', 3);
        if (parts.Length < 3 || !int.TryParse(parts[0], out int sender) || !int.TryParse(parts[1], out int tag))
            return;
        if (!From.TryGetValue(sender, out List<int>? tags))
            From.Add(sender, tags = []);
        Require(tags.Count == 0 || tag > tags[^1], $"Message {tag} of device {sender} came behind {(tags.Count > 0 ? tags[^1] : 0)}", connection);
        tags.Add(tag);
    }

    private byte[] Text(Saying saying, int size)
    {
        string text = $"{Number}.{saying.Tag}.";
        return Encoding.ASCII.GetBytes(text.PadRight(size, '~'));
    }

    private static void Require(bool holds, string what, Connection connection) => SimulationFailure.Unless(holds, what, connection.Number);
}
