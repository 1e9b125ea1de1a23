using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>
/// The bytes on their way to one client, in order, as one run, so that whatever is due leaves in one write. Holds a buffer only
/// while something waits.
/// </summary>
internal struct Outbox
{
    private byte[]? _buffer;
    private int _start;
    private int _end;
    private int _frameStart;

    /// <summary>What the socket has not accepted yet.</summary>
    public readonly ReadOnlySpan<byte> Unsent => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Octets that the socket has not accepted yet.</summary>
    public readonly int Octets => _end - _start;

    public readonly bool IsEmpty => _end == _start;

    /// <summary>Whether it takes nothing any more, since nothing can be sent.</summary>
    public bool IsShut { get; private set; }

    /// <summary>Whether the limits allow no more. A queue that already holds as many is full.</summary>
    public readonly bool IsFull(Limits limits) => Messages >= limits.OutboundMessages || Octets >= limits.OutboundOctets;

    /// <summary>Messages of which the socket has not accepted the last octet yet.</summary>
    public int Messages { get; private set; }

    /// <summary>Appends the response that precedes all frames.</summary>
    public void AppendHead(ReadOnlySpan<byte> head, BufferPool pool)
    {
        if (IsShut)
            return;
        head.CopyTo(Reserve(head.Length, pool));
        _end += head.Length;
        _frameStart = _end;
    }

    /// <summary>Appends a whole frame.</summary>
    public void AppendFrame(ReadOnlySpan<byte> frame, BufferPool pool)
    {
        if (IsShut)
            return;
        frame.CopyTo(Reserve(frame.Length, pool));
        _end += frame.Length;
        if (IsMessage(frame))
            Messages++;
    }

    /// <summary>Appends a control frame.</summary>
    public void AppendControl(Opcode opcode, ReadOnlySpan<byte> payload, BufferPool pool)
    {
        if (IsShut)
            return;
        Span<byte> frame = Reserve(FrameWriter.MaxControl, pool);
        int header = FrameWriter.WriteHeader(frame, opcode, payload.Length);
        payload.CopyTo(frame[header..]);
        _end += header + payload.Length;
    }

    /// <summary>Appends a close frame.</summary>
    public void AppendClose(ushort code, ReadOnlySpan<byte> text, BufferPool pool)
    {
        if (IsShut)
            return;
        // Two steps: reserving moves the end.
        Span<byte> frame = Reserve(FrameWriter.MaxControl, pool);
        _end += FrameWriter.WriteClose(frame, code, text);
    }

    /// <summary>The socket has accepted that many octets.</summary>
    public void Advance(int octets, BufferPool pool)
    {
        Invariant.Require(octets >= 0 && octets <= Octets);
        _start += octets;
        if (_start == _end)
        {
            Clear(pool);
            return;
        }
        while (_frameStart < _start)
        {
            ReadOnlySpan<byte> frame = _buffer.AsSpan(_frameStart);
            int frameEnd = _frameStart + FrameWriter.FrameSize(frame);
            if (frameEnd > _start)
                return;
            if (IsMessage(frame))
                Messages--;
            _frameStart = frameEnd;
        }
    }

    /// <summary>Drops what waits and gives the buffer back.</summary>
    public void Clear(BufferPool pool)
    {
        if (_buffer is not null)
            pool.Return(_buffer);
        _buffer = null;
        _start = _end = _frameStart = Messages = 0;
    }

    /// <summary>Drops what waits, and takes nothing more: the client's direction of the connection is broken.</summary>
    public void Shut(BufferPool pool)
    {
        Clear(pool);
        IsShut = true;
    }

    private static bool IsMessage(ReadOnlySpan<byte> frame) => (frame[0] & 0x0F) == (byte)Opcode.Text;

    private Span<byte> Reserve(int octets, BufferPool pool)
    {
        if (_buffer is null)
        {
            _buffer = pool.Rent(octets);
        }
        else if (_buffer.Length - _end < octets)
        {
            // The frame that is half gone stays whole: its header tells where the next one starts.
            int kept = Math.Min(_start, _frameStart);
            if (_buffer.Length - (_end - kept) >= octets)
                _buffer.AsSpan(kept.._end).CopyTo(_buffer);
            else
                _buffer = pool.Grow(_buffer, kept.._end, _end - kept + octets);
            _start -= kept;
            _end -= kept;
            _frameStart -= kept;
        }
        return _buffer.AsSpan(_end);
    }
}
