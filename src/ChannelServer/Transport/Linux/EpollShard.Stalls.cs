namespace ChannelServer.Transport.Linux;

/// <summary>
/// Sockets that have not taken all that was to be written. The kernel reports room only when a third of a socket's buffer is free, and the last write may
/// have filled more than the buffer; on a slow link that takes longer than a write may be stuck, though there is progress all the time. So the kernel is
/// asked now and then what the client has taken.
/// </summary>
internal sealed partial class EpollShard
{
    /// <summary>Often enough to see an octet of progress before the write timeout, 5 s.</summary>
    private static readonly TimeSpan _lookPause = TimeSpan.FromSeconds(1);

    // The shard's thread. Sockets that have room again are taken out when their turn comes.
    private readonly List<(SocketSession Session, ulong Acknowledged)> _full = [];
    private TimeSpan _looksAt = TimeSpan.MaxValue;

    /// <summary>A socket has taken no more.</summary>
    public void LookAfter(SocketSession session)
    {
        if (session.IsLookedAfter)
            return;
        session.IsLookedAfter = true;
        _full.Add((session, TcpProgress.Acknowledged(session.Fd)));
        if (_looksAt == TimeSpan.MaxValue)
            _looksAt = _core.Now + _lookPause;
    }

    private void LookForProgress(TimeSpan now)
    {
        int kept = 0;
        for (int i = 0; i < _full.Count; i++)
        {
            (SocketSession session, ulong before) = _full[i];
            session.IsLookedAfter = session.AwaitsRoom && session.Stage != SocketStage.Gone;
            if (!session.IsLookedAfter)
                continue;
            ulong acknowledged = TcpProgress.Acknowledged(session.Fd);
            if (acknowledged > before)
                _core.Progressed(session);
            _full[kept++] = (session, acknowledged);
        }
        _full.RemoveRange(kept, _full.Count - kept);
        _looksAt = kept > 0 ? now + _lookPause : TimeSpan.MaxValue;
    }
}
