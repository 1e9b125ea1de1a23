using System.Buffers.Binary;
using System.Text;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.WebSockets;

/// <summary>Frames as a client sends them: always masked.</summary>
internal static class ClientFrames
{
    public const uint Key = 0xC37A51E2;

    public static byte[] Text(string text) => Frame(Opcode.Text, Encoding.UTF8.GetBytes(text));

    public static byte[] Ping(string payload = "") => Frame(Opcode.Ping, Encoding.UTF8.GetBytes(payload));

    public static byte[] Pong(string payload = "") => Frame(Opcode.Pong, Encoding.UTF8.GetBytes(payload));

    public static byte[] Close() => Frame(Opcode.Close, []);

    public static byte[] Close(int code, string reason = "") =>
        Frame(Opcode.Close, [(byte)(code >> 8), (byte)code, .. Encoding.UTF8.GetBytes(reason)]);

    public static byte[] Frame(Opcode opcode, byte[] payload, bool isFinal = true, uint key = Key)
    {
        byte[] header = Header((byte)((isFinal ? 0x80 : 0) | (byte)opcode), (ulong)payload.Length, key);
        for (int i = 0; i < payload.Length; i++)
            payload[i] ^= (byte)(key >> (8 * (i % 4)));
        byte[] frame = [.. header, .. payload];
        for (int i = 0; i < payload.Length; i++)
            payload[i] ^= (byte)(key >> (8 * (i % 4)));
        return frame;
    }

    /// <summary>A header in the shortest form, or with a length field of the given size.</summary>
    public static byte[] Header(byte first, ulong length, uint key = Key, int? lengthSize = null)
    {
        lengthSize ??= length < 126 ? 0 : length <= ushort.MaxValue ? 2 : 8;
        byte[] header = new byte[2 + lengthSize.Value + 4];
        header[0] = first;
        header[1] = (byte)(0x80 | (lengthSize switch { 0 => (int)length, 2 => 126, _ => 127 }));
        if (lengthSize == 2)
            BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)length);
        else if (lengthSize == 8)
            BinaryPrimitives.WriteUInt64BigEndian(header.AsSpan(2), length);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(2 + lengthSize.Value), key);
        return header;
    }

    /// <summary>One message as many frames as there are parts.</summary>
    public static byte[] Fragments(Opcode opcode, params byte[][] parts) =>
        [.. parts.SelectMany((part, i) => Frame(i == 0 ? opcode : Opcode.Continuation, part, isFinal: i == parts.Length - 1))];
}
