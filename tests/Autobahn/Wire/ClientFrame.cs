using System.Buffers.Binary;
using System.Text;

namespace ChannelServer.Autobahn.Wire;

/// <summary>Frames as a client sends them: masked, in the shortest form, and otherwise as wrong as a case wants them.</summary>
internal static class ClientFrame
{
    public const int Continuation = 0x0;
    public const int TextOpcode = 0x1;
    public const int BinaryOpcode = 0x2;
    public const int CloseOpcode = 0x8;
    public const int PingOpcode = 0x9;
    public const int PongOpcode = 0xA;

    private static readonly byte[] _key = [0x9C, 0x03, 0xE1, 0x5A];

    public static byte[] Text(string text) => Text(Encoding.UTF8.GetBytes(text));

    public static byte[] Text(byte[] payload) => Make(TextOpcode, payload);

    public static byte[] Binary(byte[] payload) => Make(BinaryOpcode, payload);

    public static byte[] Ping(params byte[] payload) => Make(PingOpcode, payload);

    public static byte[] Pong(params byte[] payload) => Make(PongOpcode, payload);

    public static byte[] Close(int code, params byte[] reason) => CloseWith([(byte)(code >> 8), (byte)code, .. reason]);

    /// <summary>A close frame with any payload.</summary>
    public static byte[] CloseWith(params byte[] payload) => Make(CloseOpcode, payload);

    /// <summary>One message in frames of those payloads.</summary>
    public static byte[][] Fragments(int opcode, params byte[][] parts) =>
        [.. parts.Select((part, index) => Make(index == 0 ? opcode : Continuation, part, isFinal: index == parts.Length - 1))];

    /// <summary>Any frame.</summary>
    /// <param name="opcode">Four bits.</param>
    /// <param name="payload">Not masked yet.</param>
    /// <param name="isFinal">FIN.</param>
    /// <param name="reserved">The three bits behind FIN.</param>
    public static byte[] Make(int opcode, byte[] payload, bool isFinal = true, int reserved = 0)
    {
        byte[] length = new byte[payload.Length < 126 ? 0 : payload.Length <= ushort.MaxValue ? 2 : 8];
        if (length.Length == 2)
            BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)payload.Length);
        else if (length.Length == 8)
            BinaryPrimitives.WriteUInt64BigEndian(length, (ulong)payload.Length);
        int shortLength = length.Length switch { 0 => payload.Length, 2 => 126, _ => 127 };
        byte[] masked = new byte[payload.Length];
        for (int i = 0; i < payload.Length; i++)
            masked[i] = (byte)(payload[i] ^ _key[i % 4]);
        return [(byte)((isFinal ? 0x80 : 0) | (reserved << 4) | opcode), (byte)(0x80 | shortLength), .. length, .. _key, .. masked];
    }
}
