using System.Diagnostics;

namespace ChannelServer.Relay;

/// <summary>What came of a channel: one of these, the first that fits.</summary>
internal enum ChannelOutcome : byte
{
    /// <summary>Nobody but the opener ever joined.</summary>
    Lonely,

    /// <summary>It reached <see cref="Limits.ConnLifespan"/>.</summary>
    Expired,

    /// <summary>A participant vanished and did not come back in time.</summary>
    Dropped,

    /// <summary>More than two joined.</summary>
    Crowded,

    /// <summary>Two met, and a lost connection was resumed.</summary>
    Resumed,

    /// <summary>Two met.</summary>
    Paired,
}

/// <summary>The projection of a <see cref="ChannelOutcome"/>.</summary>
internal static class ChannelOutcomes
{
    /// <summary>The word for metrics: lower case, stable.</summary>
    public static string Tag(this ChannelOutcome outcome) => outcome switch
    {
        ChannelOutcome.Lonely => "lonely",
        ChannelOutcome.Expired => "expired",
        ChannelOutcome.Dropped => "dropped",
        ChannelOutcome.Crowded => "crowded",
        ChannelOutcome.Resumed => "resumed",
        ChannelOutcome.Paired => "paired",
        _ => throw new UnreachableException($"No word for {outcome}"),
    };
}
