namespace ChannelServer.Relay;

/// <summary>What has become of a peer, as version 2 tells it.</summary>
internal enum PeerState
{
    /// <summary>It has taken a seat.</summary>
    Joined,

    /// <summary>Its connection was lost, and its seat is held.</summary>
    Away,

    /// <summary>It has taken its held seat back.</summary>
    Back,

    /// <summary>Its seat is gone.</summary>
    Left,
}
