using System.Net;

namespace ChannelServer.Relay;

/// <summary>
/// Hears what happens in a shard, for metrics and logs. Called on the shard's thread, so an implementation returns at once: it
/// neither waits nor throws. It is told no channel id and no message.
/// </summary>
internal interface IRelayObserver
{
    /// <summary>A session took a seat.</summary>
    void SessionBegan(SessionStart start);

    /// <summary>A session got a close frame instead of a seat.</summary>
    void SessionRefused(EndReason reason, IPAddress? address);

    /// <summary>A session that had begun is over.</summary>
    void SessionEnded(in SessionEnd session);

    /// <summary>The seat of a session that has just ended is held, for its client to come back.</summary>
    void SeatHeld();

    /// <summary>A held seat is held no more.</summary>
    /// <param name="resumed">Whether its client came back; else it is given up.</param>
    void SeatReleased(bool resumed);

    /// <summary>Envelopes were sent again to a session that has just begun.</summary>
    void Replayed(int envelopes);

    /// <summary>A channel is gone: with its last seat, or by one of its limits.</summary>
    /// <param name="reason">The limit, or why the last session ended that had a seat.</param>
    /// <param name="outcome">What came of it.</param>
    void ChannelEnded(EndReason reason, ChannelOutcome outcome);

    /// <summary>A bug ended a channel.</summary>
    void Failed(Exception exception);
}

/// <summary>How a session came to its seat.</summary>
internal enum SessionStart : byte
{
    /// <summary>It opened the channel.</summary>
    Opened,

    /// <summary>It joined the channel.</summary>
    Joined,

    /// <summary>It took a seat back.</summary>
    Resumed,
}

/// <summary>The end of one session, as logs and metrics tell it.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Code">The close code that was sent or echoed; 0 when there was none.</param>
/// <param name="Length">From the upgrade to the end.</param>
/// <param name="Messages">Messages that the session sent and the server accepted.</param>
/// <param name="Address">The client's address; null when it is not known.</param>
internal readonly record struct SessionEnd(EndReason Reason, ushort Code, TimeSpan Length, int Messages, IPAddress? Address);
