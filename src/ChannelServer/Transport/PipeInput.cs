using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace ChannelServer.Transport;

/// <summary>
/// What a connection on pipes has received and its shard has not looked at yet. Bytes are taken off the pipe on the connection's own thread, as
/// soon as they are there: a reset completes a pipe with an exception, which hides whatever still lies in it, and what arrived before a reset counts.
/// </summary>
/// <param name="pipes">The connection's bytes.</param>
/// <param name="tell">Called, from any thread, when there is something to take.</param>
/// <param name="owner">What it is called with.</param>
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly",
    Justification = "One read at a time, taken exactly once, when it is complete.")]
internal sealed class PipeInput(IDuplexPipe pipes, Action<object> tell, object owner)
{
    /// <summary>Octets that may wait for the shard; then reading pauses, and the pipe and the kernel hold the client back.</summary>
    private const int MostWaiting = ShardTurn.InputSize;

    // Under the lock, which is the object itself: each connection has one of these.
    private byte[]? _waiting;
    private int _length;
    private bool _isReading;
    private bool _isTold;
    private bool _isOver;
    private bool _isBroken;
    private bool _isStopped;

    // Whoever reads; one at a time.
    private ConfiguredValueTaskAwaitable<ReadResult>.ConfiguredValueTaskAwaiter _read;
    private Action? _onRead;

    /// <summary>Whether nothing is under way on the pipe, nor will be.</summary>
    public bool IsAtRest
    {
        get
        {
            lock (this)
                return !_isReading;
        }
    }

    /// <summary>Puts bytes at the start that have been read already.</summary>
    public void Begin(in ReadOnlySequence<byte> bytes)
    {
        lock (this)
            Append(bytes);
    }

    /// <summary>Reads, and goes on by itself, unless it does already or there is nothing more to read.</summary>
    public void ReadOn()
    {
        lock (this)
        {
            if (_isReading || _isOver || _isBroken || _isStopped || _length >= MostWaiting)
                return;
            _isReading = true;
        }
        ReadWhilePossible();
    }

    /// <summary>Takes what there is; the array goes back to the shared pool.</summary>
    /// <param name="isOver">Whether nothing comes behind it, in an orderly way.</param>
    /// <param name="isBroken">Whether nothing comes behind it, since the connection is broken.</param>
    public ArraySegment<byte> Take(out bool isOver, out bool isBroken)
    {
        lock (this)
        {
            _isTold = false;
            (isOver, isBroken) = (_isOver, _isBroken);
            if (_waiting is null)
                return default;
            ArraySegment<byte> taken = new(_waiting, 0, _length);
            _waiting = null;
            _length = 0;
            return taken;
        }
    }

    /// <summary>Reads no more. A read that is under way is cut, and tells when it has ended.</summary>
    public void Stop()
    {
        bool cuts;
        lock (this)
        {
            _isStopped = true;
            cuts = _isReading;
        }
        if (cuts)
            pipes.Input.CancelPendingRead();
    }

    private void ReadWhilePossible()
    {
        do
        {
            try
            {
                _read = pipes.Input.ReadAsync().ConfigureAwait(false).GetAwaiter();
            }
#pragma warning disable CA1031 // Whatever it is: Kestrel hands a socket's error on as it came, a SocketException for a connection that timed out.
            catch (Exception)
#pragma warning restore CA1031
            {
                // A pipe that is broken already says so at once, not by the awaiter.
                Break();
                return;
            }
            if (!_read.IsCompleted)
            {
                _read.UnsafeOnCompleted(_onRead ??= OnRead);
                return;
            }
        }
        while (TryFinishRead());
    }

    private void OnRead()
    {
        if (TryFinishRead())
            ReadWhilePossible();
    }

    /// <summary>Takes what a read has brought off the pipe; false when that was the last one for now.</summary>
    private bool TryFinishRead()
    {
        ReadResult result;
        try
        {
            result = _read.GetResult();
        }
#pragma warning disable CA1031 // As above.
        catch (Exception)
#pragma warning restore CA1031
        {
            Break();
            return false;
        }
        lock (this)
        {
            Append(result.Buffer);
            _isOver |= result.IsCompleted;
        }
        pipes.Input.AdvanceTo(result.Buffer.End);
        bool goesOn;
        bool tells;
        lock (this)
        {
            goesOn = !_isOver && !_isStopped && _length < MostWaiting;
            _isReading = goesOn;
            tells = !_isTold || !goesOn;
            _isTold = true;
        }
        if (tells)
            tell(owner);
        return goesOn;
    }

    private void Break()
    {
        lock (this)
        {
            _isBroken = true;
            _isReading = false;
            _isTold = true;
        }
        tell(owner);
    }

    private void Append(in ReadOnlySequence<byte> bytes)
    {
        int length = _length + (int)bytes.Length;
        if (length == _length)
            return;
        if (_waiting is null || _waiting.Length < length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(length);
            if (_waiting is not null)
            {
                _waiting.AsSpan(0, _length).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_waiting);
            }
            _waiting = larger;
        }
        bytes.CopyTo(_waiting.AsSpan(_length));
        _length = length;
    }
}
