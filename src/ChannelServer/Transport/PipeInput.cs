using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;

namespace ChannelServer.Transport;

/// <summary>
/// What a connection on pipes has received and its shard has not looked at yet. Bytes are taken off the pipe on the connection's own thread, as
/// soon as they are there: a reset completes a pipe with an exception, which hides whatever still lies in it, and what arrived before a reset counts.
/// Only while the shard is far behind are they left there until it comes to them.
/// </summary>
/// <param name="pipes">The connection's bytes.</param>
/// <param name="unseen">What waits for the shard in all.</param>
/// <param name="tell">Called, from any thread, when there is something to take.</param>
/// <param name="owner">What it is called with.</param>
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly",
    Justification = "One read at a time, taken exactly once, when it is complete.")]
internal sealed class PipeInput(IDuplexPipe pipes, UnseenInput unseen, Action<object> tell, object owner)
{
    /// <summary>Octets that may wait for the shard; then reading pauses, and the pipe and the kernel hold the client back.</summary>
    private const int MostWaiting = ShardTurn.InputSize;

    // Under the lock, which is the object itself: each connection has one of these.
    private byte[]? _waiting;
    private int _length;
    private bool _isReading;
    private bool _isLeft;
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

    /// <summary>Takes what there is; the array goes back to where the unseen is counted. On the shard's turn, as <see cref="Stop"/>.</summary>
    /// <param name="isOver">Whether nothing comes behind it, in an orderly way.</param>
    /// <param name="isBroken">Whether nothing comes behind it, since the connection is broken.</param>
    public ArraySegment<byte> Take(out bool isOver, out bool isBroken)
    {
        TakeWhatWasLeft();
        lock (this)
        {
            _isTold = false;
            (isOver, isBroken) = (_isOver, _isBroken);
            return Waiting();
        }
    }

    /// <summary>Reads no more. A read that is under way is cut, and tells when it has ended.</summary>
    public void Stop()
    {
        lock (this)
        {
            _isStopped = true;
            if (Waiting().Array is { } array)
                unseen.Return(array);
        }
        TakeWhatWasLeft();
        bool cuts;
        lock (this)
            cuts = _isReading;
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
                lock (this)
                    _isBroken = true;
                Settle();
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

    /// <summary>Ends a read that is complete; false when that was the last one for now.</summary>
    private bool TryFinishRead()
    {
        if (TryLeave())
        {
            tell(owner);
            return false;
        }
        Receive();
        return Settle();
    }

    /// <summary>Leaves what has been read in the pipe for the shard, if that is far behind. The read is under way until then.</summary>
    private bool TryLeave()
    {
        lock (this)
        {
            if (_isStopped || !unseen.IsFull)
                return false;
            _isLeft = true;
            _isTold = true;
            return true;
        }
    }

    /// <summary>Decides whether reading goes on, and tells what there is.</summary>
    private bool Settle()
    {
        bool goesOn;
        bool tells;
        lock (this)
        {
            goesOn = !_isOver && !_isBroken && !_isStopped && _length < MostWaiting;
            _isReading = goesOn;
            tells = !_isTold || !goesOn;
            _isTold = true;
        }
        if (tells)
            tell(owner);
        return goesOn;
    }

    private void TakeWhatWasLeft()
    {
        lock (this)
        {
            if (!_isLeft)
                return;
            _isLeft = false;
        }
        Receive();
        lock (this)
            _isReading = false;
    }

    /// <summary>Takes what a read has brought off the pipe.</summary>
    private void Receive()
    {
        ReadResult result;
        try
        {
            result = _read.GetResult();
        }
#pragma warning disable CA1031 // Whatever it is, as where the read was begun.
        catch (Exception)
#pragma warning restore CA1031
        {
            lock (this)
                _isBroken = true;
            return;
        }
        lock (this)
        {
            Append(result.Buffer);
            _isOver |= result.IsCompleted;
        }
        pipes.Input.AdvanceTo(result.Buffer.End);
    }

    private ArraySegment<byte> Waiting()
    {
        if (_waiting is null)
            return default;
        ArraySegment<byte> waiting = new(_waiting, 0, _length);
        unseen.Add(-_length);
        _waiting = null;
        _length = 0;
        return waiting;
    }

    private void Append(in ReadOnlySequence<byte> bytes)
    {
        int length = _length + (int)bytes.Length;
        if (length == _length || _isStopped)
            return;
        if (_waiting is null || _waiting.Length < length)
        {
            byte[] larger = unseen.Rent(length);
            if (_waiting is not null)
            {
                _waiting.AsSpan(0, _length).CopyTo(larger);
                unseen.Return(_waiting);
            }
            _waiting = larger;
        }
        bytes.CopyTo(_waiting.AsSpan(_length));
        unseen.Add(length - _length);
        _length = length;
    }
}
