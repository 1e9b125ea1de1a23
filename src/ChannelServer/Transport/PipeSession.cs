using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using ChannelServer.Relay;

namespace ChannelServer.Transport;

/// <summary>
/// A session on pipes. Its reads and writes are started on the shard's turn, one of each at a time; their completions only post a
/// letter. So nothing here is locked, and an idle session costs no state machine.
/// </summary>
/// <param name="connection">Its connection.</param>
/// <param name="shard">The mailbox of the shard that owns the session.</param>
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly",
    Justification = "One read and one write at a time, each taken exactly once, after its continuation has been called.")]
internal sealed class PipeSession(PipeConnection connection, IShardMailbox shard) : DriverSession
{
    /// <summary>
    /// Octets of one write. The pipe reports a write as a whole, so this is how finely the shard sees progress on a slow link.
    /// </summary>
    private const int WriteSize = 16 * 1024;

    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ConfiguredValueTaskAwaitable<ReadResult>.ConfiguredValueTaskAwaiter _read;
    private ConfiguredValueTaskAwaitable<FlushResult>.ConfiguredValueTaskAwaiter _write;
    private Action? _onRead;
    private Action? _onWritten;
    private int _writing;
    private ReadResult _result;
    private volatile bool _hasResult;
    private bool _isInputBroken;
    private bool _isReading;
    private bool _isHalfClosed;
    private bool _isReleased;

    /// <summary>Set by the connection before the session is posted; taken by the shard.</summary>
    public Arrival? Arrival { get; set; }

    /// <summary>Asks for the seat. The task completes when the session is finished and nothing of it is under way on the pipes.</summary>
    public Task RunAsync()
    {
        shard.Post(this, PipeFact.Arrived);
        return _released.Task;
    }

    /// <summary>Starts a read, unless one is under way.</summary>
    private void StartReading(Shard core)
    {
        if (_isReading || _isReleased)
            return;
        try
        {
            _read = connection.Pipes.Input.ReadAsync().ConfigureAwait(false).GetAwaiter();
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            // A pipe that is broken already says so at once, not by the awaiter.
            core.Broken(this);
            return;
        }
        _isReading = true;
        _read.UnsafeOnCompleted(_onRead ??= OnRead);
    }

    /// <summary>
    /// Takes the result as soon as it is there, not when the shard gets to it: a reset in between would put an exception in the place of bytes that had
    /// arrived.
    /// </summary>
    private void OnRead()
    {
        try
        {
            _result = _read.GetResult();
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            _isInputBroken = true;
        }
        _hasResult = true;
        shard.Post(this, PipeFact.Readable);
    }

    /// <summary>Does what a fact asks for. Called on the shard's turn.</summary>
    /// <param name="fact">What has happened.</param>
    /// <param name="turn">The shard that has the turn.</param>
    public void Handle(PipeFact fact, ShardTurn turn)
    {
        if (fact == PipeFact.Arrived)
            Sit(turn);
        else if (fact == PipeFact.Readable)
            Read(turn);
        else
            Resume(turn.Core);
        turn.ServeTouched();
        SettleRelease();
    }

    /// <summary>The session met a bug of ours: it goes, as if its client had.</summary>
    public void GiveUp(ShardTurn turn)
    {
        turn.Core.Broken(this);
        turn.ServeTouched();
        SettleRelease();
    }

    private void Sit(ShardTurn turn)
    {
        Arrival arrival = Arrival!;
        Arrival = null;
        turn.Seat(this, arrival);
        turn.ServeTouched();
        StartReading(turn.Core);
    }

    /// <inheritdoc/>
    public override void TakeRest(ShardTurn turn) => Read(turn);

    private void Read(ShardTurn turn)
    {
        // Its letter may come behind TakeRest.
        if (!_hasResult)
            return;
        _hasResult = false;
        if (_isInputBroken)
        {
            _isReading = false;
            turn.Core.Broken(this);
            return;
        }
        ReadResult result = _result;
        _result = default;
        try
        {
            foreach (ReadOnlyMemory<byte> segment in result.Buffer)
                turn.Receive(this, segment.Span);
        }
        finally
        {
            // Until here the buffer is in use: a release in the midst of it would return its memory.
            connection.Pipes.Input.AdvanceTo(result.Buffer.End);
            _isReading = false;
        }
        if (result.IsCompleted)
            turn.Core.InputEnded(this);
        else if (Phase != SessionPhase.Finished)
            StartReading(turn.Core);
    }

    private void Resume(Shard core)
    {
        FinishWrite(core);
        Serve(core);
    }

    /// <summary>Lets the pipes go once the session is finished and nothing of it is under way on them.</summary>
    private void SettleRelease()
    {
        if (_isReleased && !_isReading && _writing == 0)
            _released.TrySetResult();
    }

    /// <inheritdoc/>
    public override void Serve(Shard core)
    {
        while (_writing == 0 && !_isReleased && Phase != SessionPhase.Finished && !Unsent.IsEmpty)
        {
            ReadOnlySpan<byte> next = Unsent[..Math.Min(Unsent.Length, WriteSize)];
            connection.Pipes.Output.Write(next);
            try
            {
                _write = connection.Pipes.Output.FlushAsync().ConfigureAwait(false).GetAwaiter();
            }
            catch (Exception fault) when (fault is IOException or OperationCanceledException)
            {
                core.OutputBroken(this);
                break;
            }
            _writing = next.Length;
            if (!_write.IsCompleted)
            {
                core.Sent(this, 0);
                _write.UnsafeOnCompleted(_onWritten ??= () => shard.Post(this, PipeFact.Written));
                return;
            }
            FinishWrite(core);
        }
        if (Phase == SessionPhase.Finished)
            Release();
        else if (Phase == SessionPhase.Lingering && _writing == 0)
            HalfClose();
    }

    /// <summary>Accounts for a write that has completed.</summary>
    private void FinishWrite(Shard core)
    {
        int written = _writing;
        _writing = 0;
        try
        {
            // What has arrived may not have been looked at yet: the broken connection ends the input too, behind it.
            if (_write.GetResult().IsCompleted)
                core.OutputBroken(this);
            else
                core.Sent(this, written);
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            core.OutputBroken(this);
        }
    }

    private void HalfClose()
    {
        if (_isHalfClosed || connection.Socket is null)
            return;
        _isHalfClosed = true;
        try
        {
            connection.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // The client was faster; the read under way says so.
        }
    }

    /// <summary>Starts to give the connection back. What is under way is cut: the shard has given the client its time.</summary>
    private void Release()
    {
        if (_isReleased)
            return;
        _isReleased = true;
        if (_writing > 0)
        {
            connection.Lifetime.Abort();
            connection.Pipes.Output.CancelPendingFlush();
        }
        if (_isReading)
            connection.Pipes.Input.CancelPendingRead();
        SettleRelease();
    }
}
