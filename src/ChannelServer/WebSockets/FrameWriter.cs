using System.Buffers.Binary;

namespace ChannelServer.WebSockets;

/// <summary>Writes the server's frames: never masked, never fragmented.</summary>
internal static class FrameWriter
{
    /// <summary>Octets of the longest header.</summary>
    public const int MaxHeader = 10;

    /// <summary>Octets of the longest control frame: a header of two and a payload of 125 (RFC 6455, 5.5).</summary>
    public const int MaxControl = 127;

    /// <summary>Octets of the header of a frame with that payload.</summary>
    public static int HeaderSize(int payload) => payload < 126 ? 2 : payload <= ushort.MaxValue ? 4 : 10;

    /// <summary>Writes a header with FIN set, in the shortest form.</summary>
    /// <returns>Octets written.</returns>
    public static int WriteHeader(Span<byte> destination, Opcode opcode, int payload)
    {
        destination[0] = (byte)(0x80 | (byte)opcode);
        if (payload < 126)
        {
            destination[1] = (byte)payload;
            return 2;
        }
        if (payload <= ushort.MaxValue)
        {
            destination[1] = 126;
            BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)payload);
            return 4;
        }
        destination[1] = 127;
        BinaryPrimitives.WriteUInt64BigEndian(destination[2..], (ulong)payload);
        return 10;
    }

    /// <summary>Writes a close frame.</summary>
    /// <param name="destination">Room for <see cref="MaxControl"/>.</param>
    /// <param name="code">The code; 0 writes a close frame without one.</param>
    /// <param name="text">The reason, at most 123 octets of UTF-8.</param>
    /// <returns>Octets written.</returns>
    public static int WriteClose(Span<byte> destination, ushort code, ReadOnlySpan<byte> text)
    {
        if (code == 0)
            return WriteHeader(destination, Opcode.Close, 0);
        WriteHeader(destination, Opcode.Close, 2 + text.Length);
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], code);
        text.CopyTo(destination[4..]);
        return 4 + text.Length;
    }

    /// <summary>The size of the whole frame whose header starts the span; for queues that hold only whole frames of ours.</summary>
    public static int FrameSize(ReadOnlySpan<byte> frame) => frame[1] switch
    {
        126 => 4 + BinaryPrimitives.ReadUInt16BigEndian(frame[2..]),
        127 => 10 + (int)BinaryPrimitives.ReadUInt64BigEndian(frame[2..]),
        byte payload => 2 + payload,
    };
}
