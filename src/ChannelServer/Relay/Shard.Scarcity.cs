namespace ChannelServer.Relay;

/// <summary>
/// What happens when all buffers together exceed <see cref="Limits.BufferedOctets"/>: nobody may make what he holds larger than an equal share of what
/// is left up to twice the limit. So few who hold much take nothing from many who need little, and ordinary messages are relayed as before:
/// everybody may hold <see cref="SmallestShare"/> in any case.
/// </summary>
internal sealed partial class Shard
{
    /// <summary>Octets that anybody may hold in one place, however scarce buffers are: a typical pairing message and its envelope.</summary>
    private const int SmallestShare = 2048;

    /// <summary>
    /// Into how many parts a seat's share is divided. It has three places: a message under way, a queue, a backlog. And a buffer may be twice as large
    /// as what it holds.
    /// </summary>
    private const int PartsPerSeat = 3 * 2;

    /// <summary>Octets of all buffers that sessions and seats hold.</summary>
    public long BufferedOctets => _buffers.OctetsLent + _kept.OctetsLent + _partials.OctetsLent;

    /// <summary>What one session or seat may hold in one place: as much as the other limits allow, unless buffers are scarce.</summary>
    private long Share
    {
        get
        {
            long buffered = BufferedOctets;
            if (limits.BufferedOctets == 0 || buffered <= limits.BufferedOctets)
                return long.MaxValue;
            long left = (2 * limits.BufferedOctets) - buffered;
            return Math.Max(left / (PartsPerSeat * (SessionCount + HeldCount)), SmallestShare);
        }
    }

    /// <summary>Ends a session in the middle of a message that has outgrown its share.</summary>
    private void ShedPart(Session session)
    {
        // The rest of the message is not gathered any more, so nothing behind it can be told from it.
        session.IsGarbled = true;
        session.Reader.Release(_partials);
        End(session, EndReason.TryAgainLater);
    }

    /// <summary>Whether a session's queue takes more. If not, its client is too slow, and the session is ended.</summary>
    private bool HasRoom(Session session, int octets)
    {
        bool isFull = session.Outbox.IsFull(limits);
        if (!isFull && !ExceedsShare(session, octets))
            return true;
        End(session, isFull ? EndReason.SlowConsumer : EndReason.TryAgainLater);
        return false;
    }

    /// <summary>Whether a queue that its client does not empty would outgrow its share.</summary>
    private bool ExceedsShare(Session session, int octets) => session.IsStalled && session.Outbox.Octets + octets > Share;
}
