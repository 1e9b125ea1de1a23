using ChannelServer.Admission;
using ChannelServer.Relay;

namespace ChannelServer.Transport.Linux;

/// <summary>How a shard stops: its channels one after the other, then who is at the door, then the door.</summary>
internal sealed partial class EpollShard
{
    /// <summary>How often a stopping shard looks whether others still have something for it.</summary>
    private static readonly TimeSpan _askingPause = TimeSpan.FromMilliseconds(50);

    // The shard's thread.
    private DrainSchedule? _ends;
    private long _endsFor;
    private TimeSpan _doorClosesAt = TimeSpan.MaxValue;

    /// <summary>Ends all sessions and then the thread. A second call brings the end forward.</summary>
    /// <param name="window">Over what time the ends are spread.</param>
    /// <param name="patience">How long sessions may take to close after that.</param>
    public void Stop(TimeSpan window, TimeSpan patience)
    {
        Interlocked.Exchange(ref _drainTicks, window.Ticks);
        Interlocked.Exchange(ref _stopAt, (Time.GetElapsedTime(_started) + window + patience).Ticks);
        Ring();
    }

    /// <summary>Ends what is due.</summary>
    /// <returns>When to come again.</returns>
    private TimeSpan Drain(TimeSpan now)
    {
        long stopAt = Interlocked.Read(ref _stopAt);
        if (_ends is null || _endsFor != stopAt)
        {
            _turn.IsStopping = true;
            _ends = new DrainSchedule(now, TimeSpan.FromTicks(Interlocked.Read(ref _drainTicks)), _core.ChannelCount);
            _endsFor = stopAt;
        }
        const int EndedAtOnce = 64;
        for (int due = _ends.Value.Due(_core.ChannelCount, now); due > 0; due -= EndedAtOnce)
        {
            _core.EndOldest(EndReason.ServerShutdown, Math.Min(due, EndedAtOnce));
            _turn.ServeTouched();
        }
        if (_core.ChannelCount == 0)
            CloseDoor(now);
        return Min(
            _ends.Value.NextDue(_core.ChannelCount), TimeSpan.FromTicks(stopAt), _heads.NextDue < TimeSpan.MaxValue ? _doorClosesAt : TimeSpan.MaxValue,
            IsAwaited ? now + _askingPause : TimeSpan.MaxValue);
    }

    /// <summary>
    /// Closes the listeners behind the last that came: a connection that waits in a listener's queue would be reset with it. Up to here
    /// they were open, so that load balancers and clients hear that the server is stopping.
    /// </summary>
    private void CloseDoor(TimeSpan now)
    {
        if (_doorClosesAt == TimeSpan.MaxValue)
        {
            foreach (Listener listener in _listeners)
            {
                // No more than may have waited: who floods the door does not keep it open.
                for (int left = Listener.Backlog; left > 0 && AcceptOne(listener) == AcceptResult.Taken; left--)
                    continue;
                listener.Dispose();
            }
            _doorClosesAt = now + ChannelEngine.LastCall;
        }
        if (now < _doorClosesAt)
            return;
        while (_heads.TryTakeFirst(out Session undecided))
            Close((SocketSession)undecided);
    }

    /// <summary>Whether connections may be on their way to it, or sessions on pipes need its turn to close.</summary>
    private bool IsAwaited => _engine.IsAsking || _engine.HasLateUpgrades;

    /// <summary>By the end that <see cref="Drain"/> has seen: one that was brought forward since must first tell the sessions.</summary>
    private bool IsDone() =>
        (_doorClosesAt < TimeSpan.MaxValue && _connections.Count == 0 && _core.SessionCount == 0 && !IsAwaited && _letters.IsEmpty)
        || Time.GetElapsedTime(_started).Ticks >= _endsFor;
}
