using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using ChannelServer.Relay;

namespace ChannelServer.Transport;

/// <summary>
/// A session on pipes. What it reads is taken off the pipe as it comes (<see cref="PipeInput"/>); its writes are started on the shard's
/// turn, one at a time. Completions only post a letter, and an idle session costs no state machine.
/// </summary>
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly",
    Justification = "One write at a time, taken exactly once, after its continuation has been called.")]
internal sealed class PipeSession : DriverSession
{
    /// <summary>
    /// Octets of one write. The pipe reports a write as a whole, so this is how finely the shard sees progress on a slow link.
    /// </summary>
    private const int WriteSize = 16 * 1024;

    /// <summary>How long a claim waits at a time for what its predecessor has received and Kestrel has not yet put into the pipe.</summary>
    private static readonly TimeSpan _rest = TimeSpan.FromMilliseconds(5);

    /// <summary>How often it waits; then the predecessor receives faster than it can be read.</summary>
    private const int MostRests = 20;

    private readonly PipeConnection _connection;
    private readonly IShardMailbox _shard;
    private readonly PipeInput _input;
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ConfiguredValueTaskAwaitable<FlushResult>.ConfiguredValueTaskAwaiter _write;
    private Action? _onWritten;
    private int _writing;
    private int _rests;
    private bool _isHalfClosed;
    private bool _isReleased;

    /// <param name="connection">Its connection.</param>
    /// <param name="shard">The mailbox of the shard that owns the session.</param>
    public PipeSession(PipeConnection connection, IShardMailbox shard)
    {
        _connection = connection;
        _shard = shard;
        _input = new PipeInput(connection.Pipes, () => shard.Post(this, PipeFact.Readable));
    }

    /// <summary>Set by the connection before the session is posted; taken by the shard.</summary>
    public Arrival? Arrival { get; set; }

    /// <summary>Takes in what was read behind the request.</summary>
    public void Begin(in ReadOnlySequence<byte> unread) => _input.Begin(unread);

    /// <summary>Asks for the seat. The task completes when the session is finished and nothing of it is under way on the pipes.</summary>
    public Task RunAsync()
    {
        // Before it is seated, and so before its client can know and answer: from here on nothing that arrives lies in the pipe.
        _input.ReadOn();
        _shard.Post(this, PipeFact.Arrived);
        return _released.Task;
    }

    /// <summary>Does what a fact asks for. Called on the shard's turn.</summary>
    /// <param name="fact">What has happened.</param>
    /// <param name="turn">The shard that has the turn.</param>
    public void Handle(PipeFact fact, ShardTurn turn)
    {
        if (fact == PipeFact.Arrived)
            Sit(turn);
        else if (fact == PipeFact.Readable)
            TakeRest(turn);
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

    /// <inheritdoc/>
    public override void TakeRest(ShardTurn turn)
    {
        // Until it has its seat, what it says waits.
        if (Arrival is not null)
            return;
        ArraySegment<byte> received = _input.Take(out bool isOver, out bool isBroken);
        if (received.Array is { } array)
        {
            turn.Feed(this, received);
            ArrayPool<byte>.Shared.Return(array);
        }
        if (isBroken)
            turn.Core.Broken(this);
        else if (isOver)
            turn.Core.InputEnded(this);
        else if (Phase != SessionPhase.Finished)
            _input.ReadOn();
    }

    private void Sit(ShardTurn turn)
    {
        Arrival arrival = Arrival!;
        if (turn.Core.Predecessor(arrival.ChannelId, arrival.Visitor) is PipeSession predecessor && _rests < MostRests
            && (_rests == 0 || predecessor.HasMoreToRead))
        {
            _rests++;
            _ = ComeBackAsync();
            return;
        }
        Arrival = null;
        turn.Seat(this, arrival);
        turn.ServeTouched();
        TakeRest(turn);
    }

    /// <summary>
    /// What the seat's earlier socket has received arrived first, and counts; but on its way through Kestrel it may be overtaken by the
    /// claim, so the claim waits a little. No thread does.
    /// </summary>
    private async Task ComeBackAsync()
    {
        await Task.Delay(_rest);
        _shard.Post(this, PipeFact.Arrived);
    }

    private bool HasMoreToRead
    {
        get
        {
            try
            {
                return _connection.Socket is { Available: > 0 };
            }
            catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
            {
                return false;
            }
        }
    }

    private void Resume(Shard core)
    {
        FinishWrite(core);
        Serve(core);
    }

    /// <summary>Lets the pipes go once the session is finished and nothing of it is under way on them.</summary>
    private void SettleRelease()
    {
        if (_isReleased && _writing == 0 && _input.IsAtRest)
            _released.TrySetResult();
    }

    /// <inheritdoc/>
    public override void Serve(Shard core)
    {
        while (_writing == 0 && !_isReleased && Phase != SessionPhase.Finished && !Unsent.IsEmpty)
        {
            ReadOnlySpan<byte> next = Unsent[..Math.Min(Unsent.Length, WriteSize)];
            _connection.Pipes.Output.Write(next);
            try
            {
                _write = _connection.Pipes.Output.FlushAsync().ConfigureAwait(false).GetAwaiter();
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
                _write.UnsafeOnCompleted(_onWritten ??= () => _shard.Post(this, PipeFact.Written));
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
        if (_isHalfClosed || _connection.Socket is null)
            return;
        _isHalfClosed = true;
        try
        {
            _connection.Socket.Shutdown(SocketShutdown.Send);
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
            _connection.Lifetime.Abort();
            _connection.Pipes.Output.CancelPendingFlush();
        }
        _input.Stop();
        SettleRelease();
    }
}
