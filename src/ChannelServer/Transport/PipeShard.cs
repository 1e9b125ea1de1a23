using System.Collections.Concurrent;
using ChannelServer.Admission;
using ChannelServer.Relay;

namespace ChannelServer.Transport;

/// <summary>
/// A shard and its mailbox. There is no thread of its own: whoever posts a letter takes the turn if nobody has it, and handles
/// letters until there are none. So the shard's state is touched by one thread at a time, and a message usually goes from one
/// socket to the other on the thread that read it.
/// </summary>
internal sealed class PipeShard : IShardMailbox, IDisposable
{
    /// <summary>Channels ended in one go when the server stops.</summary>
    private const int EndedPerTurn = 64;

    /// <summary>Letters handled before time passes again: under load the mailbox may never be empty.</summary>
    private const int LettersPerTurn = 256;

    private readonly Shard _core;
    private readonly ShardTurn _turn;
    private readonly long _started;
    private readonly ITimer _timer;

    // Any thread. Bounded by the sessions: each has at most one read and one write under way, and one look at the write.
    private readonly ConcurrentQueue<Letter> _letters = new();
    private int _hasTurn;
    private int _isTold;
    private long _windowTicks;

    // Whoever has the turn.
    private TimeSpan _armedFor = TimeSpan.MaxValue;
    private int _timerFired;
    private DrainSchedule? _ends;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public PipeShard(int index, int shards, Limits limits, IRelayObserver observer, TimeProvider time, RandomSource random)
    {
        _core = new Shard(index, shards, limits, observer, random);
        _turn = new ShardTurn(_core);
        Time = time;
        _started = time.GetTimestamp();
        _timer = time.CreateTimer(OnTimer, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <inheritdoc/>
    public TimeProvider Time { get; }

    /// <inheritdoc/>
    public UnseenInput Unseen => _turn.Unseen;

    /// <summary>Posts a fact, and takes the turn if nobody has it.</summary>
    public void Post(PipeSession session, PipeFact fact)
    {
        _letters.Enqueue(new Letter(session, fact));
        TakeTurn();
    }

    /// <inheritdoc/>
    public void ReleaseBuffers()
    {
        _turn.IsAskedToRelease = true;
        TakeTurn();
    }

    /// <summary>Completes when the server stops and no channel is left.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Ends all sessions, since the server stops, and refuses those that come. A second call shortens the window.</summary>
    /// <param name="window">Over what time the ends are spread.</param>
    public void Stop(TimeSpan window)
    {
        Interlocked.Exchange(ref _windowTicks, window.Ticks);
        Interlocked.Exchange(ref _isTold, 1);
        _turn.IsStopping = true;
        TakeTurn();
    }

    public void Dispose() => _timer.Dispose();

    private void OnTimer(object? _)
    {
        Interlocked.Exchange(ref _timerFired, 1);
        TakeTurn();
    }

    private void TakeTurn()
    {
        // Whoever has the turn looks once more after giving it back, so nothing posted meanwhile is left lying.
        while (HasWork() && Interlocked.Exchange(ref _hasTurn, 1) == 0)
        {
            try
            {
                HandleAll();
            }
            finally
            {
                Volatile.Write(ref _hasTurn, 0);
                Interlocked.MemoryBarrier();
            }
        }
    }

    private bool HasWork() =>
        !_letters.IsEmpty || Volatile.Read(ref _timerFired) == 1 || Volatile.Read(ref _isTold) == 1 || _turn.IsAskedToRelease;

    private void HandleAll()
    {
        if (Interlocked.Exchange(ref _timerFired, 0) == 1)
            _armedFor = TimeSpan.MaxValue;
        do
        {
            _core.Advance(Time.GetElapsedTime(_started));
            _turn.ServeTouched();
        }
        while (_core.NextDeadline <= _core.Now);

        for (int left = LettersPerTurn; left > 0 && _letters.TryDequeue(out Letter letter); left--)
            Handle(letter);
        _turn.ReleaseIfAsked();
        if (Interlocked.Exchange(ref _isTold, 0) == 1)
            _ends = new DrainSchedule(_core.Now, TimeSpan.FromTicks(Interlocked.Read(ref _windowTicks)), _core.ChannelCount);
        if (_ends is { } ends)
            EndDue(ends);
        Arm();
    }

    private void EndDue(DrainSchedule ends)
    {
        for (int due = ends.Due(_core.ChannelCount, _core.Now); due > 0; due -= EndedPerTurn)
        {
            _core.EndOldest(EndReason.ServerShutdown, Math.Min(due, EndedPerTurn));
            _turn.ServeTouched();
        }
        if (_core.ChannelCount == 0)
            _ended.TrySetResult();
    }

    private void Handle(Letter letter)
    {
        (PipeSession session, PipeFact fact) = letter;
        try
        {
            session.Handle(fact, _turn);
        }
#pragma warning disable CA1031 // A bug met by one connection must not end the turn, which would end all.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            session.GiveUp(_turn, bug);
        }
    }

    /// <summary>Deadlines mostly move away, so the timer is set only when it would come too late.</summary>
    private void Arm()
    {
        TimeSpan next = _core.NextDeadline;
        if (_ends?.NextDue(_core.ChannelCount) is { } end && end < next)
            next = end;
        if (next >= _armedFor)
            return;
        _armedFor = next;
        TimeSpan wait = next - _core.Now;
        _timer.Change(TimeSpan.FromMilliseconds(ChannelEngine.MillisecondsFor(wait)), Timeout.InfiniteTimeSpan);
    }

    private readonly record struct Letter(PipeSession Session, PipeFact Fact);
}
