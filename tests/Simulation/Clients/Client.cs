using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>How a client behaves.</summary>
internal enum Temperament : byte
{
    /// <summary>Greets, talks, answers pings, closes.</summary>
    Orderly,

    /// <summary>Sends its first frames together with the upgrade, and many at once.</summary>
    Hasty,

    /// <summary>Takes few octets at a time.</summary>
    SlowReader,

    /// <summary>Stops reading, and talks on.</summary>
    StoppingReader,

    /// <summary>Is gone without a word: the socket stays half open.</summary>
    Vanishing,

    /// <summary>Resets the connection.</summary>
    Resetting,

    /// <summary>Ends its direction, perhaps within a frame, and reads on.</summary>
    HalfClosing,

    /// <summary>Reads, and never says anything, not even a pong.</summary>
    Silent,

    /// <summary>Breaks every rule that it can find.</summary>
    Hostile,
}

/// <summary>How a connection is lost at a given octet.</summary>
internal enum Cut : byte
{
    Reset,

    /// <summary>The client's direction ends, without a close frame.</summary>
    End,

    /// <summary>The client is gone without a word.</summary>
    Vanish,
}

/// <summary>A client: who it is, what it wants, how far it has come.</summary>
internal sealed class Client(int number, Temperament temperament, Person person, byte[] id, byte[] head, Prng chance)
{
    public Temperament Temperament { get; } = temperament;

    public Person Person { get; } = person;

    /// <summary>What it names in the path; empty for a new channel.</summary>
    public byte[] Id { get; } = id;

    /// <summary>The upgrade response that it is to get.</summary>
    public byte[] Head { get; } = head;

    public Prng Chance { get; } = chance;

    public ServerStream Incoming { get; } = new(number, head);

    /// <summary>What its socket has not taken yet.</summary>
    public ByteQueue Outgoing { get; } = new();

    public ProtocolVersion Version { get; init; }

    /// <summary>The seat that it wants back.</summary>
    public Claim? Claim { get; init; }

    /// <summary>Whether the claim is what it has been told.</summary>
    public bool IsHonest { get; init; } = true;

    /// <summary>Whose connection this is, if it comes back when it is lost.</summary>
    public Device? Device { get; init; }

    public Guest Guest => new(Person, Version, Claim);

    /// <summary>Octets of either direction after which the connection is cut; -1 when it is not.</summary>
    public int CutDownAt { get; init; } = -1;

    public int CutUpAt { get; init; } = -1;

    /// <summary>How it is cut.</summary>
    public Cut Cut { get; init; }

    /// <summary>How it attacks, when it is hostile.</summary>
    public Attack Attack { get; init; }

    /// <summary>Frames seen, the upgrade response included.</summary>
    public int Seen { get; set; } = 1;

    /// <summary>What it still has to say before it leaves.</summary>
    public int ToSay { get; set; }

    /// <summary>The channel, once the greeting has told.</summary>
    public string? Name { get; set; }

    public bool Reads { get; set; } = true;

    public bool IsReadDue { get; set; }

    public bool HasSentClose { get; set; }

    /// <summary>Whether it ends its direction when everything is sent.</summary>
    public bool WantsEnd { get; set; }

    public bool HasSeenClose { get; set; }

    public bool HasSeenEnd { get; set; }

    /// <summary>Whether it answers close frames and ends as one should.</summary>
    public bool IsPolite { get; set; } = true;

    /// <summary>Half open: there is nobody at this end.</summary>
    public bool IsGone { get; set; }

    /// <summary>Whether it may be heard of again.</summary>
    public bool IsOver { get; set; }

    // What follows is of interest for devices only.

    public bool HasGreeting { get; set; }

    /// <summary>Whether the number behind the greeting has not come yet.</summary>
    public bool AwaitsBase { get; set; }

    /// <summary>The number of the last envelope.</summary>
    public int Position { get; set; }

    /// <summary>Whether envelopes that come again count.</summary>
    public bool MayRepeat { get; set; }

    public bool HasRepeated { get; set; }

    /// <summary>Whether it has told its device that it is lost.</summary>
    public bool IsLost { get; set; }

    /// <summary>Whether the server has given its seat to a later connection.</summary>
    public bool IsSuperseded { get; set; }

    /// <summary>For each numbered pong, where in its direction of the stream it ends.</summary>
    public List<(int Envelope, long End)> Pongs { get; } = [];

    /// <summary>For each message, its place among all that its device has said, and where in its direction of the stream it ends.</summary>
    public List<(int Place, long End)> Sayings { get; } = [];

    /// <summary>What its device must have heard when its close is answered.</summary>
    public Dictionary<Device, int>? Owed { get; set; }

    public ushort ClosedWith { get; set; }
}
