namespace ChannelServer.Relay;

/// <summary>What clients of version 2 are told about each other.</summary>
internal sealed partial class Shard
{
    /// <summary>
    /// What is still to be told. To tell one thing, or to relay a message, can end a session that does not read, which is the next thing to tell: it waits
    /// its turn, so that all hear the same in the same order, and nobody of a peer's end before its beginning or before its last message.
    /// </summary>
    private readonly Queue<(Seat About, PeerState State)> _news = new();

    private bool _holdsNewsBack;

    /// <summary>Tells the others in a channel what has become of a seat, those of them that understand it.</summary>
    private void Announce(Seat about, PeerState state)
    {
        _news.Enqueue((about, state));
        if (!_holdsNewsBack)
            TellNews();
    }

    private void TellNews()
    {
        _holdsNewsBack = true;
        while (_news.TryDequeue(out (Seat About, PeerState State) news))
            Tell(news.About, news.State);
        _holdsNewsBack = false;
    }

    private void Tell(Seat about, PeerState state)
    {
        for (Seat? reader = about.Channel.FirstSeat; reader is not null; reader = reader.Next)
        {
            if (reader == about || reader.Version != ProtocolVersion.Two || reader.Session is not { } session)
                continue;
            Inform(session, _frames.Peer(about, state, reader));
        }
    }

    /// <summary>Tells a client what is neither numbered nor kept.</summary>
    private void Inform(Session session, ReadOnlySpan<byte> frame)
    {
        // A queue that no write has met yet, such as a replay, may be full; that does not make its client slow.
        if (!session.IsStalled || HasRoom(session, frame.Length))
            Queue(session, frame);
    }

    /// <summary>A bug was met, perhaps in the middle of the above. What is left to tell is about a channel that ends.</summary>
    private void ForgetNews()
    {
        _news.Clear();
        _holdsNewsBack = false;
    }
}
