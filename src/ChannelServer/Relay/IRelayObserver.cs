using System.Net;

namespace ChannelServer.Relay;

/// <summary>
/// Hears what happens in a shard, for metrics and logs. Called on the shard's thread, so an implementation returns at once: it
/// neither waits nor throws. It is told no channel id and no message.
/// </summary>
public interface IRelayObserver
{
    /// <summary>A session took a seat.</summary>
    /// <param name="opened">Whether it opened the channel; else it joined one.</param>
    void SessionBegan(bool opened);

    /// <summary>A session got a close frame instead of a seat.</summary>
    void SessionRefused(EndReason reason, IPAddress? address);

    /// <summary>A session that had begun is over.</summary>
    void SessionEnded(in SessionEnd session);

    /// <summary>A channel is gone: with its last seat, or by one of its limits.</summary>
    /// <param name="reason">The limit, or the reason of the last seat's end.</param>
    void ChannelEnded(EndReason reason);

    /// <summary>A bug ended a channel.</summary>
    void Failed(Exception exception);
}

/// <summary>The end of one session, as logs and metrics tell it.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Code">The close code that was sent or echoed; 0 when there was none.</param>
/// <param name="Length">From the upgrade to the end.</param>
/// <param name="Messages">Messages that the session sent and the server accepted.</param>
/// <param name="Address">The client's address; null when it is not known.</param>
public readonly record struct SessionEnd(EndReason Reason, ushort Code, TimeSpan Length, int Messages, IPAddress? Address);
