using System.Buffers.Binary;

namespace ChannelServer.WebSockets;

/// <summary>The header of one client frame (RFC 6455, 5.2).</summary>
internal readonly struct FrameHeader
{
    /// <summary>Octets of the longest client header: 2, a 64-bit length, the key.</summary>
    public const int MaxSize = 14;

    public Opcode Opcode { get; private init; }

    public bool IsFinal { get; private init; }

    public bool IsControl => (byte)Opcode >= 8;

    /// <summary>Octets of payload that the header promises; 0 to 2^63 - 1.</summary>
    public ulong Length { get; private init; }

    /// <summary>The masking key, its first octet lowest.</summary>
    public uint Key { get; private init; }

    /// <summary>Octets of the header itself.</summary>
    public int Size { get; private init; }

    /// <summary>Reads a header.</summary>
    /// <param name="octets">The start of a frame; all of it or less.</param>
    /// <param name="header">The header; its <see cref="Size"/> is zero while octets are missing.</param>
    /// <returns>False when the RFC forbids it, which is often clear from the first octets.</returns>
    public static bool TryRead(ReadOnlySpan<byte> octets, out FrameHeader header)
    {
        header = default;
        if (octets.IsEmpty)
            return true;
        int first = octets[0];
        int opcode = first & 0x0F;
        bool isFinal = first >= 0x80;
        bool isControl = opcode >= 8;
        // No extension is ever negotiated, so RSV bits must be zero. Control frames are never fragmented.
        if ((first & 0x70) != 0 || opcode is (> 2 and < 8) or > 10 || (isControl && !isFinal))
            return false;
        if (octets.Length < 2)
            return true;

        bool isMasked = octets[1] >= 0x80;
        ulong length = (uint)octets[1] & 0x7F;
        if (!isMasked || (isControl && length > 125))
            return false;

        int lengthSize = length switch { 126 => 2, 127 => 8, _ => 0 };
        if (octets.Length < 2 + lengthSize)
            return true;
        if (lengthSize == 2)
        {
            length = BinaryPrimitives.ReadUInt16BigEndian(octets[2..]);
            if (length < 126)
                return false;
        }
        else if (lengthSize == 8)
        {
            length = BinaryPrimitives.ReadUInt64BigEndian(octets[2..]);
            if (length is <= ushort.MaxValue or > long.MaxValue)
                return false;
        }

        int size = 2 + lengthSize + 4;
        if (octets.Length < size)
            return true;
        header = new FrameHeader
        {
            Opcode = (Opcode)opcode,
            IsFinal = isFinal,
            Length = length,
            Key = BinaryPrimitives.ReadUInt32LittleEndian(octets[(2 + lengthSize)..]),
            Size = size,
        };
        return true;
    }
}
