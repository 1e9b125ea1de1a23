namespace ChannelServer.Transport.Linux;

/// <summary>
/// Sockets that have not taken all that was to be written. The kernel reports room only when a third of a socket's buffer is free; on a slow link that
/// takes longer than a write may be stuck, though there is progress all the time. So now and then it is simply tried.
/// </summary>
internal sealed partial class EpollShard
{
    /// <summary>Often enough to see an octet of progress before the write timeout, 5 s.</summary>
    private static readonly TimeSpan _retryPause = TimeSpan.FromSeconds(1);

    // The shard's thread. Sockets that have room again are taken out when their turn comes.
    private readonly List<SocketSession> _full = [];
    private TimeSpan _retriesAt = TimeSpan.MaxValue;

    /// <summary>A socket has taken no more.</summary>
    public void Retry(SocketSession session)
    {
        if (session.IsRetried)
            return;
        session.IsRetried = true;
        _full.Add(session);
        if (_retriesAt == TimeSpan.MaxValue)
            _retriesAt = _core.Now + _retryPause;
    }

    private void RetryFull(TimeSpan now)
    {
        _full.RemoveAll(static session => !(session.IsRetried = session.AwaitsRoom && session.Stage != SocketStage.Gone));
        foreach (SocketSession session in _full)
            _core.Writable(session);
        _retriesAt = _full.Count > 0 ? now + _retryPause : TimeSpan.MaxValue;
        _turn.ServeTouched();
    }
}
