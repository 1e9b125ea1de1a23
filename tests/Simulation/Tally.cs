namespace ChannelServer.Simulation;

/// <summary>Rare things that the worlds must have met, or what is checked there was never checked.</summary>
internal enum Rarity : byte
{
    HeldSeatResumed,
    LiveSessionTakenOver,
    TakenOverWithUnsent,
    TokenBeforeUsed,
    TokenBeforeSpent,
    EnvelopesReplayed,
    ReceivedBeyondAcknowledged,
    OldestLetGo,
    HeldSeatFull,
    HeldSeatYielded,
    WindowEnded,
    HeldSeatEndedWithChannel,
    UntoldGiven,
    UntoldGivenWhileOpenerIsAway,
    VersionsMixed,
    PeerTold,
    NewsInARow,
    EndTold,
    ExpiringTold,
    OutputBroken,
    PongBeyondSent,
    AcknowledgedBehindEnd,
    SilenceForgiven,
    PartShed,
    QueueShed,
    BacklogShed,
    UntoldShed,
}

/// <summary>What was met in all worlds so far, and what clients that come back have seen.</summary>
internal sealed class Tally
{
    private readonly long[] _met = new long[Enum.GetValues<Rarity>().Length];

    /// <summary>Messages that arrived at devices, each counted once.</summary>
    public long Messages { get; set; }

    /// <summary>Seats taken back, as their clients saw it.</summary>
    public long Resumes { get; set; }

    /// <summary>Of these, by clients of version 1 that did not say what they had received.</summary>
    public long Doubtful { get; set; }

    /// <summary>Of the doubtful ones, those after which a message came again.</summary>
    public long Repeating { get; set; }

    /// <summary>Messages that came again after a doubtful one.</summary>
    public long Repeated { get; set; }

    public long this[Rarity rarity] => _met[(int)rarity];

    public void Meet(Rarity rarity) => _met[(int)rarity]++;
}
