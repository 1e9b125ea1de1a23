using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>
/// Buffers that are scarce. In a world they are so always or never, and then the smallest share is everybody's: by how much the share shrinks when is the
/// affair of unit tests, what becomes of those who exceed it is this one's.
/// </summary>
internal sealed partial class ModelServer
{
    private const int SmallestShare = 2048;

    private int Share => limits.BufferedOctets < 0 ? SmallestShare : int.MaxValue;

    /// <summary>All of a read has been understood; whose message is still under way must not hold more of it than a share.</summary>
    public void ReadAll(ModelSession session)
    {
        if (session.Phase != SessionPhase.Open || session.Stream!.Gathered <= Share)
            return;
        tally.Meet(Rarity.PartShed);
        session.Stream.Abandon();
        End(session, EndReason.TryAgainLater);
    }

    /// <summary>Whether a client takes something more; if not, its session ends.</summary>
    private bool Takes(ModelSession session, ModelFrame frame)
    {
        if (IsFull(session))
        {
            End(session, EndReason.SlowConsumer);
            return false;
        }
        if (ExceedsShare(session, frame.Size))
        {
            tally.Meet(Rarity.QueueShed);
            End(session, EndReason.TryAgainLater);
            return false;
        }
        return true;
    }

    private bool ExceedsShare(ModelSession session, int octets) => session.IsStalled && session.Pending > Share - octets;
}
