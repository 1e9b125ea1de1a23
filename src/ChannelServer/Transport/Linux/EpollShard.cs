using System.Collections.Concurrent;
using ChannelServer.Admission;
using ChannelServer.Relay;
using ChannelServer.Telemetry;

namespace ChannelServer.Transport.Linux;

/// <summary>
/// A shard with a thread, an epoll instance and listening sockets of its own. All that a connection touches lives on this thread; other
/// threads only post letters. One turn of the loop: deadlines, ready sockets, letters, and then one write for each session that
/// has anything to send.
/// </summary>
internal sealed partial class EpollShard : IShardMailbox, IAsyncDisposable
{
    /// <summary>Events taken by one wait. More would let the first of them wait for the last.</summary>
    private const int EventsPerTurn = 256;

    /// <summary>Connections accepted in one turn, so that a storm of them does not starve those that are there.</summary>
    private const int AcceptsPerTurn = 32;

    /// <summary>Letters handled in one turn, so that time goes on while others keep posting.</summary>
    private const int LettersPerTurn = 256;

    /// <summary>Keys of descriptors that are no connections have this generation.</summary>
    private const ulong NoConnection = 0xFFFF_FFFF_0000_0000;

    private const ulong BellKey = NoConnection;

    // Set once.
    private readonly EpollEngine _engine;
    private readonly Shard _core;
    private readonly ShardTurn _turn;
    private readonly Epoll _epoll = new(EventsPerTurn);
    private readonly Listener[] _listeners;
    private readonly int _bell;
    private readonly long _started;
    private readonly RelayTelemetry _telemetry;
    private readonly long _mostHeadOctets;
    private readonly int _ownPlaces;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Any thread. Bounded by the connections: each is in one letter at most, or in four when it is on pipes.
    private readonly ConcurrentQueue<Letter> _letters = new();
    private int _isAsleep;
    private long _drainTicks;
    private long _stopAt = long.MaxValue;
    private int _isOver;
    private int _isDisposed;

    // Whoever starts it and frees it.
    private Thread? _thread;

    // The shard's thread.
    private readonly ConnectionTable _connections = new();
    private readonly DeadlineList<Session, Session.Pulse> _heads = new(new Session());
    private readonly DeadlineList<Session, Session.Pulse> _answers = new(new Session());
    private long _headOctets;
    private int _atTheDoor;
    private TimeSpan _acceptsAgainAt = TimeSpan.MaxValue;

    public EpollShard(
        EpollEngine engine, int index, int shards, Listener[] listeners, Limits limits, IRelayObserver observer, RelayTelemetry telemetry,
        TimeProvider time, RandomSource random)
    {
        _engine = engine;
        _core = new Shard(index, shards, limits, observer, random);
        _turn = new ShardTurn(_core);
        _listeners = listeners;
        _telemetry = telemetry;
        _mostHeadOctets = limits.BufferedOctets > 0 ? limits.BufferedOctets : long.MaxValue;
        _ownPlaces = Math.Max(1, ConnectionCap.Ahead / shards);
        Time = time;
        _started = time.GetTimestamp();
        _bell = LibC.EventFd();
        Invariant.Require(_bell >= 0);
        // Edge-triggered and never read: each ring is an edge.
        Invariant.Require(_epoll.Add(_bell, LibC.EPOLLIN | LibC.EPOLLET, BellKey) == 0);
        WatchListeners(LibC.EPOLLIN, isNew: true);
    }

    /// <summary>Completes when the thread has closed all its sockets and ended.</summary>
    public Task Stopped => _stopped.Task;

    /// <inheritdoc/>
    public TimeProvider Time { get; }

    /// <inheritdoc/>
    public UnseenInput Unseen => _turn.Unseen;

    /// <summary>Starts the thread.</summary>
    public void Start(int index)
    {
        _thread = new Thread(Run) { Name = $"shard {index}", IsBackground = true };
        _thread.Start();
    }

    /// <summary>
    /// Cuts what <see cref="Stop"/> has not ended, and frees everything. The bell goes last: while the thread can still sleep, others ring, and its
    /// number may be somebody else's as soon as it is closed.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 1)
            return;
        if (_thread is not null)
        {
            Stop(TimeSpan.Zero, TimeSpan.Zero);
            await Stopped;
        }
        else
        {
            foreach (Listener listener in _listeners)
                listener.Dispose();
            _epoll.Dispose();
        }
        _ = LibC.Close(_bell);
    }

    /// <summary>Posts a fact of a session on pipes.</summary>
    public void Post(PipeSession session, PipeFact fact) => Post(new Letter(session, fact, null, null));

    /// <summary>Hands over a connection whose channel lives here: from now on it is this thread's.</summary>
    public void Post(SocketSession session, Arrival arrival, byte[] unread) => Post(new Letter(session, default, arrival, unread));

    /// <summary>Changes what a connection is watched for.</summary>
    public void Watch(SocketSession session, uint interest) => _ = _epoll.Modify(session.Fd, interest, session.Key);

    /// <summary>The one place where a connection of this thread is closed.</summary>
    public void Close(SocketSession session)
    {
        Forget(session);
        CloseSocket(session);
    }

    private void CloseSocket(SocketSession session)
    {
        _ = LibC.Close(session.Fd);
        _engine.Admission.Sockets.Leave();
        _engine.Admission.Release(ref session.Ticket);
    }

    private void Post(Letter letter)
    {
        _letters.Enqueue(letter);
        if (Interlocked.Exchange(ref _isAsleep, 0) == 1)
            Ring();
        // Looked at behind the letter, as the thread looks for letters behind it: one of both finds what nobody will read.
        if (Volatile.Read(ref _isOver) == 1)
            ReturnLetters();
    }

    /// <summary>Closes the connections that were on their way here when the thread ended.</summary>
    private void ReturnLetters()
    {
        while (_letters.TryDequeue(out Letter letter))
        {
            // A session on pipes is the HTTP server's to close.
            if (letter.Session is SocketSession session)
                CloseSocket(session);
        }
    }

    /// <inheritdoc/>
    public void ReleaseBuffers()
    {
        _turn.IsAskedToRelease = true;
        Ring();
    }

    private void Ring() => _ = LibC.Ring(_bell);

    private void Run()
    {
        while (true)
        {
            TimeSpan now = Time.GetElapsedTime(_started);
            TimeSpan next = PassTime(now);
            if (_ends is not null && IsDone())
                break;
            // Announce the sleep, then look once more: a letter posted in between either is seen here or rings the bell.
            Interlocked.Exchange(ref _isAsleep, 1);
            int wait = _letters.IsEmpty ? MillisecondsUntil(next, now) : 0;
            int ready = _epoll.Wait(wait);
            Volatile.Write(ref _isAsleep, 0);
            Invariant.Require(ready >= 0);

            // What has arrived comes before what has fallen due meanwhile.
            _core.SetTime(Time.GetElapsedTime(_started));
            for (int i = 0; i < ready; i++)
                Handle(_epoll[i].Key, _epoll[i].Events);
            // Who has asked is heard before somebody is accepted in his place.
            for (int i = 0; i < ready; i++)
            {
                if (_epoll[i].Key > BellKey)
                    Accept(_listeners[(int)(_epoll[i].Key - BellKey) - 1]);
            }
            for (int left = LettersPerTurn; left > 0 && _letters.TryDequeue(out Letter letter); left--)
                Handle(letter);
            _turn.ServeTouched();
            _turn.ReleaseIfAsked();
        }
        foreach (SocketSession session in _connections.All())
            Close(session);
        Interlocked.Exchange(ref _isOver, 1);
        ReturnLetters();
        _epoll.Dispose();
        _stopped.SetResult();
    }

    /// <summary>Does what has fallen due, and says when the next thing will.</summary>
    private TimeSpan PassTime(TimeSpan now)
    {
        // Before the deadlines, one of which may be that of a write without progress.
        if (_looksAt <= now)
            LookForProgress(now);
        do
        {
            _core.Advance(now);
            _turn.ServeTouched();
        }
        while (_core.NextDeadline <= now);

        while (_heads.TryTakeDue(now, out Session late))
            GiveUp((SocketSession)late);
        while (_answers.TryTakeDue(now, out Session lingering))
            Close((SocketSession)lingering);
        if (_acceptsAgainAt <= now)
        {
            _acceptsAgainAt = TimeSpan.MaxValue;
            WatchListeners(LibC.EPOLLIN, isNew: false);
        }
        TimeSpan nextEnd = Interlocked.Read(ref _stopAt) < long.MaxValue ? Drain(now) : TimeSpan.MaxValue;
        return Min(_core.NextDeadline, _heads.NextDue, _answers.NextDue, _acceptsAgainAt, _looksAt, nextEnd);
    }

    private void Handle(ulong key, uint events)
    {
        if (key >= NoConnection)
            return;
        // A connection that was closed earlier in this turn has left its slot, or a newer one has its place under another key.
        if (_connections.Find(key) is not { } session)
            return;
        try
        {
            if ((events & LibC.EPOLLOUT) != 0)
                _core.Writable(session);
            if ((events & ~LibC.EPOLLOUT) != 0 && session.Stage != SocketStage.Gone)
                Read(session);
        }
#pragma warning disable CA1031 // A bug met by one connection must not end the thread, which would end all.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            Drop(session, bug);
        }
    }

    private void Read(SocketSession session)
    {
        int received = LibC.Receive(session.Fd, _turn.Input);
        if (received == -LibC.EAGAIN)
            return;
        if (session.Stage == SocketStage.Seated)
        {
            if (received > 0)
                _turn.Feed(session, _turn.Input[..received]);
            else if (received == 0)
                session.EndInput(_core);
            else
                _core.Broken(session);
        }
        else if (received <= 0)
        {
            Close(session);
        }
        else if (session.Stage == SocketStage.Head)
        {
            ReadHead(session, _turn.Input[..received]);
        }
    }

    private void Handle(Letter letter)
    {
        try
        {
            if (letter.Session is PipeSession onPipes)
                onPipes.Handle(letter.Fact, _turn);
            else
                Welcome((SocketSession)letter.Session, letter.Arrival!, letter.Unread!);
        }
#pragma warning disable CA1031 // As above.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            if (letter.Session is PipeSession onPipes)
                onPipes.GiveUp(_turn, bug);
            else
                Drop((SocketSession)letter.Session, bug);
        }
    }

    /// <summary>A bug showed while this connection was handled: it goes, whatever its stage.</summary>
    private void Drop(SocketSession session, Exception bug)
    {
        if (session.Stage == SocketStage.Seated)
        {
            _core.Failed(session, bug);
            return;
        }
        _telemetry.Failed(bug);
        if (session.Stage != SocketStage.Gone)
            Close(session);
    }

    private static TimeSpan Min(params ReadOnlySpan<TimeSpan> times)
    {
        TimeSpan least = TimeSpan.MaxValue;
        foreach (TimeSpan time in times)
            least = time < least ? time : least;
        return least;
    }

    private static int MillisecondsUntil(TimeSpan next, TimeSpan now)
    {
        if (next == TimeSpan.MaxValue)
            return -1;
        return (int)Math.Min(ChannelEngine.MillisecondsFor(next - now), int.MaxValue);
    }

    /// <summary>What other threads tell: a fact of a session on pipes, or a connection that moves here.</summary>
    private readonly record struct Letter(DriverSession Session, PipeFact Fact, Arrival? Arrival, byte[]? Unread);
}
