using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>
/// The envelopes of one seat that its client is not known to have: whole frames, in order, as one run of bytes. Holds a buffer only
/// while there are any.
/// </summary>
internal struct Backlog
{
    private byte[]? _buffer;
    private int _start;
    private int _end;

    /// <summary>Envelopes kept.</summary>
    public int Count { get; private set; }

    /// <summary>Octets of the envelopes kept.</summary>
    public readonly int Octets => _end - _start;

    /// <summary>Whether the limits of an outbound queue allow no more. One that already holds as many is full.</summary>
    public readonly bool IsFull(Limits limits) => Count >= limits.OutboundMessages || Octets >= limits.OutboundOctets;

    /// <summary>Keeps a frame behind the others.</summary>
    public void Append(ReadOnlySpan<byte> frame, BufferPool pool)
    {
        if (_buffer is null)
        {
            _buffer = pool.Rent(frame.Length);
        }
        else if (_buffer.Length - _end < frame.Length)
        {
            int kept = Octets;
            if (_buffer.Length - kept >= frame.Length)
                _buffer.AsSpan(_start.._end).CopyTo(_buffer);
            else
                _buffer = pool.Grow(_buffer, _start.._end, kept + frame.Length);
            _start = 0;
            _end = kept;
        }
        frame.CopyTo(_buffer.AsSpan(_end));
        _end += frame.Length;
        Count++;
    }

    /// <summary>Lets the oldest envelopes go.</summary>
    public void Drop(int count, BufferPool pool)
    {
        Invariant.Require(count <= Count);
        if (count == Count)
        {
            Clear(pool);
            return;
        }
        for (; count > 0; count--)
        {
            _start += FrameWriter.FrameSize(_buffer.AsSpan(_start));
            Count--;
        }
    }

    /// <summary>The first frame of those behind an offset, which moves behind it; empty when there is none. Begin at 0.</summary>
    public readonly ReadOnlySpan<byte> Next(ref int offset)
    {
        ReadOnlySpan<byte> rest = _buffer.AsSpan(_start + offset, _end - _start - offset);
        if (rest.IsEmpty)
            return rest;
        int size = FrameWriter.FrameSize(rest);
        offset += size;
        return rest[..size];
    }

    /// <summary>Lets everything go, and gives the buffer back.</summary>
    public void Clear(BufferPool pool)
    {
        if (_buffer is not null)
            pool.Return(_buffer);
        _buffer = null;
        _start = _end = Count = 0;
    }
}
