using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using ChannelServer.Relay;

namespace ChannelServer.Transport;

/// <summary>What a <see cref="KestrelSession"/> tells its shard through the mailbox.</summary>
internal enum KestrelFact : byte
{
    /// <summary>It wants a seat.</summary>
    Arrived,

    /// <summary>A read has completed.</summary>
    Readable,

    /// <summary>A write has completed.</summary>
    Written,
}

/// <summary>What a session needs to sit down; dropped as soon as it has.</summary>
/// <param name="ChannelId">What stands for the channel in the path; empty for a new one.</param>
/// <param name="Visitor">Who it is.</param>
/// <param name="Head">The upgrade response, unless somebody else has sent it.</param>
internal sealed record Arrival(byte[] ChannelId, Visitor Visitor, byte[] Head);

/// <summary>
/// A session on pipes. Its reads and writes are started on the shard's turn, one of each at a time; their completions only post a
/// letter. So nothing here is locked, and an idle session costs no state machine.
/// </summary>
/// <param name="pipes">The connection's bytes.</param>
/// <param name="socket">The socket to half-close; null where the pipes are not a bare socket's.</param>
/// <param name="abort">Cuts the connection.</param>
/// <param name="shard">The mailbox of the shard that owns the session.</param>
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly",
    Justification = "One read and one write at a time, each taken exactly once, after its continuation has been called.")]
internal sealed class KestrelSession(IDuplexPipe pipes, Socket? socket, Action abort, KestrelShard shard) : Session
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
    private bool _isReading;
    private bool _isHalfClosed;
    private bool _isReleased;

    /// <summary>Set by the connection before the session is posted; taken by the shard.</summary>
    public Arrival? Arrival { get; set; }

    /// <summary>Completes when the pipes are done with.</summary>
    public Task Released => _released.Task;

    /// <summary>Asks for the seat. The rest of the session's life happens on the shard's turns.</summary>
    public void Enter() => shard.Post(this, KestrelFact.Arrived);

    /// <summary>Starts a read, unless one is under way.</summary>
    public void StartReading()
    {
        if (_isReading || _isReleased)
            return;
        _isReading = true;
        _read = pipes.Input.ReadAsync().ConfigureAwait(false).GetAwaiter();
        _read.UnsafeOnCompleted(_onRead ??= () => shard.Post(this, KestrelFact.Readable));
    }

    /// <summary>Takes what the completed read has brought.</summary>
    /// <exception cref="IOException">The connection is broken.</exception>
    /// <exception cref="OperationCanceledException">The connection was cut on this side.</exception>
    public ReadResult TakeRead()
    {
        _isReading = false;
        return _read.GetResult();
    }

    /// <summary>Says that all bytes of a read have been used.</summary>
    public void ConsumeRead(SequencePosition end) => pipes.Input.AdvanceTo(end);

    /// <summary>Lets the pipes go once the session is finished and nothing of it is under way on them.</summary>
    public void SettleRelease()
    {
        if (_isReleased && !_isReading && _writing == 0)
            _released.TrySetResult();
    }

    /// <summary>
    /// Writes what is unsent, as far as the socket takes it at once, and does what the phase asks for. Called on the shard's turn.
    /// </summary>
    public void Serve(Shard core)
    {
        while (_writing == 0 && !_isReleased && Phase != SessionPhase.Finished && !Unsent.IsEmpty)
        {
            ReadOnlySpan<byte> next = Unsent[..Math.Min(Unsent.Length, WriteSize)];
            pipes.Output.Write(next);
            _writing = next.Length;
            _write = pipes.Output.FlushAsync().ConfigureAwait(false).GetAwaiter();
            if (!_write.IsCompleted)
            {
                core.Sent(this, 0);
                _write.UnsafeOnCompleted(_onWritten ??= () => shard.Post(this, KestrelFact.Written));
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
    public void FinishWrite(Shard core)
    {
        int written = _writing;
        _writing = 0;
        try
        {
            if (_write.GetResult().IsCompleted)
                core.Broken(this);
            else
                core.Sent(this, written);
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            core.Broken(this);
        }
    }

    private void HalfClose()
    {
        if (_isHalfClosed || socket is null)
            return;
        _isHalfClosed = true;
        try
        {
            socket.Shutdown(SocketShutdown.Send);
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
            abort();
            pipes.Output.CancelPendingFlush();
        }
        if (_isReading)
            pipes.Input.CancelPendingRead();
        SettleRelease();
    }
}
