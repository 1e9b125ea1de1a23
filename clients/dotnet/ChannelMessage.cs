namespace ChannelServer.Client;

/// <summary>A message of another participant.</summary>
/// <param name="Text">What it sent, without white space at both ends.</param>
/// <param name="Sender">What the server tells about it.</param>
/// <param name="Peer">Its short id; null in version 1.</param>
/// <param name="Number">The number of the message on this seat, from 1.</param>
public sealed record ChannelMessage(string Text, Sender Sender, string? Peer, long Number);

/// <summary>What is known about a sender. Each member is null when it is not.</summary>
/// <param name="City">The city, by its address.</param>
/// <param name="Country">The country, by its address.</param>
/// <param name="Region">The region: state, province, canton.</param>
/// <param name="Remote">The address.</param>
/// <param name="UserAgent">The <c>User-Agent</c> of its upgrade.</param>
public sealed record Sender(string? City, string? Country, string? Region, string? Remote, string? UserAgent);

/// <summary>Another participant of the channel.</summary>
/// <param name="Id">A short id, unique within the channel.</param>
/// <param name="IsAway">Whether its connection is lost, and its seat kept for it.</param>
/// <param name="Sender">What the server tells about it.</param>
public sealed record Peer(string Id, bool IsAway, Sender Sender);

/// <summary>What happened to a participant.</summary>
public enum PeerNews
{
    /// <summary>It has come.</summary>
    Joined,

    /// <summary>Its connection is lost; its seat is kept for a while.</summary>
    Away,

    /// <summary>It has taken its seat back.</summary>
    Back,

    /// <summary>It has left, or was away for too long.</summary>
    Left,
}

/// <summary>Something happened to a participant.</summary>
/// <param name="Id">Its short id.</param>
/// <param name="News">What happened.</param>
/// <param name="Sender">What the server tells about it.</param>
public sealed record PeerChange(string Id, PeerNews News, Sender Sender);

/// <summary>What the server told in its latest greeting. Zero means no limit.</summary>
/// <param name="ExpiresIn">What the channel had left then.</param>
/// <param name="MaxExchanges">Messages through the channel, of all senders together.</param>
/// <param name="MaxData">Octets of message text through the channel.</param>
/// <param name="MaxMessage">Octets of one message.</param>
public sealed record ChannelLimits(TimeSpan ExpiresIn, int MaxExchanges, long MaxData, int MaxMessage);

/// <summary>How a channel ended for this client.</summary>
/// <param name="Code">The close code; 1000 after <see cref="ChannelClient.CloseAsync"/>.</param>
/// <param name="Reason">The reason in words.</param>
/// <param name="Retry">Whether a new channel, or a new join, may fare better.</param>
public sealed record ChannelEnd(int Code, string Reason, bool Retry);
