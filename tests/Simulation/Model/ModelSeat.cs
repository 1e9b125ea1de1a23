using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>An envelope that a client is not known to have.</summary>
internal sealed record KeptEnvelope(int Number, ModelFrame Frame);

/// <summary>A participant's place as the model knows it. It may outlive its sockets.</summary>
internal sealed class ModelSeat(int number, ModelChannel channel, ProtocolVersion version)
{
    /// <summary>Set while the seat is held.</summary>
    public Alarm Window = new();

    public int Number { get; } = number;

    public ModelChannel Channel { get; } = channel;

    public ProtocolVersion Version { get; } = version;

    /// <summary>Null while the seat is held.</summary>
    public ModelSession? Session { get; set; }

    /// <summary>The latest session, whether it is still there or not.</summary>
    public ModelSession? LastSession { get; set; }

    /// <summary>By the latest session.</summary>
    public Person Person { get; set; } = Person.Nobody;

    /// <summary>Why the latest session ended.</summary>
    public EndReason LastEnd { get; set; }

    /// <summary>The token of the latest greeting.</summary>
    public string? Token { get; set; }

    /// <summary>The token before that, until the client is known to hold the latest.</summary>
    public string? TokenBefore { get; set; }

    /// <summary>Messages of this seat that were accepted, and how many of them the client has been told.</summary>
    public int Accepted { get; set; }

    public int AcceptedTold { get; set; }

    /// <summary>Envelopes for this seat, those behind which a ping was sent, those known to have arrived.</summary>
    public int Numbered { get; set; }

    public int Pinged { get; set; }

    public int Acknowledged { get; set; }

    /// <summary>Envelopes that are kept, the oldest first.</summary>
    public List<KeptEnvelope> Kept { get; } = [];

    /// <summary>A replay can begin behind this number at the earliest.</summary>
    public int LetGo => Kept.Count > 0 ? Kept[0].Number - 1 : Numbered;

    public bool IsHeld => Window.IsSet;

    public void Acknowledge(int number)
    {
        Acknowledged = Math.Max(Acknowledged, number);
        Kept.RemoveAll(kept => kept.Number <= number);
    }
}

/// <summary>A channel as the model knows it.</summary>
internal sealed class ModelChannel(int number, string name)
{
    public Alarm Lifespan = new();

    /// <summary>When version 2 clients are told of the end.</summary>
    public Alarm Notice = new();

    public int Number { get; } = number;

    public string Name { get; } = name;

    /// <summary>In the order in which they were taken.</summary>
    public List<ModelSeat> Seats { get; } = [];

    /// <summary>The addresses of the two first participants.</summary>
    public List<System.Net.IPAddress?> Founders { get; } = [];

    /// <summary>What the opener said before anybody else came.</summary>
    public List<byte[]> Untold { get; } = [];

    /// <summary>The opener's seat, taken or not.</summary>
    public ModelSeat? Opener { get; set; }

    /// <summary>How many ever took a seat.</summary>
    public int Joins { get; set; }

    public bool HasResumed { get; set; }

    /// <summary>Whether somebody did not come back in time.</summary>
    public bool HasDropped { get; set; }

    /// <summary>Whether all of it is ending.</summary>
    public bool IsEnding { get; set; }

    public int Exchanges { get; set; }

    public long Octets { get; set; }

    public ChannelOutcome OutcomeOf(EndReason reason)
    {
        if (Joins == 1)
            return ChannelOutcome.Lonely;
        if (reason == EndReason.ChannelExpired)
            return ChannelOutcome.Expired;
        if (HasDropped)
            return ChannelOutcome.Dropped;
        if (Joins > 2)
            return ChannelOutcome.Crowded;
        return HasResumed ? ChannelOutcome.Resumed : ChannelOutcome.Paired;
    }
}
