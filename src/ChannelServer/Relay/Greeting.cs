using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>The first frame of every session: which channel it is in, and the link for the others.</summary>
internal static class Greeting
{
    /// <summary>Octets of the frame.</summary>
    public const int Size = 2 + 14 + ChannelId.Characters + 17 + ChannelId.Characters + 2;

    /// <summary>Writes the frame.</summary>
    /// <param name="id">The channel.</param>
    /// <param name="destination">Room for <see cref="Size"/>.</param>
    public static void Write(ChannelId id, Span<byte> destination)
    {
        Span<byte> text = stackalloc byte[ChannelId.Characters];
        id.Format(text);
        int written = FrameWriter.WriteHeader(destination, Opcode.Text, Size - 2);
        Append(destination, ref written, "{\"channelid\":\""u8);
        Append(destination, ref written, text);
        Append(destination, ref written, "\",\"link\":\"/v1/ws/"u8);
        Append(destination, ref written, text);
        Append(destination, ref written, "\"}"u8);
    }

    private static void Append(Span<byte> destination, ref int written, ReadOnlySpan<byte> octets)
    {
        octets.CopyTo(destination[written..]);
        written += octets.Length;
    }
}
