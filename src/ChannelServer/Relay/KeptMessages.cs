using System.Buffers.Binary;
using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>What was sent while nobody else had ever been in the channel: texts, in order, for the first who joins.</summary>
internal struct KeptMessages
{
    private byte[]? _buffer;
    private int _end;
    private int _count;

    /// <summary>Octets of the texts kept, as they will be sent: up to six times what they are.</summary>
    public int Octets { get; private set; }

    /// <summary>Whether the limits of an outbound queue allow no more. One that already holds as many is full.</summary>
    public readonly bool IsFull(Limits limits) => _count >= limits.OutboundMessages || Octets >= limits.OutboundOctets;

    /// <summary>Keeps a text behind the others.</summary>
    public void Append(ReadOnlySpan<byte> text, BufferPool pool)
    {
        // Each text stands behind its length.
        int needed = _end + sizeof(int) + text.Length;
        if (_buffer is null)
            _buffer = pool.Rent(needed);
        else if (needed > _buffer.Length)
            _buffer = pool.Grow(_buffer, .._end, needed);
        BinaryPrimitives.WriteInt32LittleEndian(_buffer.AsSpan(_end), text.Length);
        text.CopyTo(_buffer.AsSpan(_end + sizeof(int)));
        _end = needed;
        _count++;
        Octets += JsonText.EscapedLength(text);
    }

    /// <summary>The next text behind an offset, which moves behind it; false when there is none. Begin at 0.</summary>
    public readonly bool TryNext(ref int offset, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (offset >= _end)
            return false;
        int length = BinaryPrimitives.ReadInt32LittleEndian(_buffer.AsSpan(offset));
        text = _buffer.AsSpan(offset + sizeof(int), length);
        offset += sizeof(int) + length;
        return true;
    }

    /// <summary>Lets everything go, and gives the buffer back.</summary>
    public void Clear(BufferPool pool)
    {
        if (_buffer is not null)
            pool.Return(_buffer);
        _buffer = null;
        _end = _count = Octets = 0;
    }
}
