using System.Buffers.Binary;

namespace ChannelServer.Conformance.Wire;

/// <summary>The octets of client frames (RFC 6455, section 5.2), right ones and, for the tests of strictness, wrong ones.</summary>
internal static class ClientFrame
{
    public const byte Fin = 0x80;
    public const byte Continuation = 0x0;
    public const byte TextOpcode = 0x1;
    public const byte BinaryOpcode = 0x2;

    /// <summary>How a length is written. Only the shortest possible form is legal.</summary>
    public enum LengthForm { Shortest, Bits7, Bits16, Bits64 }

    private static readonly byte[] _mask = [0x37, 0xFA, 0x21, 0x3D];

    public static byte[] Text(string text) => Of(Fin | TextOpcode, Encoding.UTF8.GetBytes(text));

    public static byte[] Text(ReadOnlySpan<byte> octets) => Of(Fin | TextOpcode, octets);

    public static byte[] Binary(ReadOnlySpan<byte> octets) => Of(Fin | BinaryOpcode, octets);

    public static byte[] Ping(ReadOnlySpan<byte> payload) => Of(Frame.Ping, payload);

    public static byte[] Pong(ReadOnlySpan<byte> payload) => Of(Frame.Pong, payload);

    public static byte[] Close(int code, string reason = "") => Of(Frame.Close, ClosePayload(code, Encoding.UTF8.GetBytes(reason)));

    public static byte[] ClosePayload(int code, ReadOnlySpan<byte> reason) => [(byte)(code >> 8), (byte)code, .. reason];

    /// <summary>A masked frame around a payload.</summary>
    /// <param name="firstOctet">FIN, the reserved bits and the opcode.</param>
    public static byte[] Of(int firstOctet, ReadOnlySpan<byte> payload, LengthForm form = LengthForm.Shortest)
    {
        byte[] masked = payload.ToArray();
        for (int i = 0; i < masked.Length; i++)
            masked[i] ^= _mask[i % 4];
        return [.. Head(firstOctet, (ulong)payload.Length, form), .. masked];
    }

    /// <summary>A frame without the mask that RFC 6455 demands of clients.</summary>
    public static byte[] Unmasked(int firstOctet, ReadOnlySpan<byte> payload) =>
        [(byte)firstOctet, (byte)payload.Length, .. payload];

    /// <summary>The head alone, mask included: the payload may follow in part, or never.</summary>
    public static byte[] Head(int firstOctet, ulong length, LengthForm form = LengthForm.Shortest)
    {
        if (form == LengthForm.Shortest)
            form = length < 126 ? LengthForm.Bits7 : length <= ushort.MaxValue ? LengthForm.Bits16 : LengthForm.Bits64;
        Span<byte> extended = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(extended, length);
        return form switch
        {
            LengthForm.Bits7 => [(byte)firstOctet, (byte)(0x80 | (byte)length), .. _mask],
            LengthForm.Bits16 => [(byte)firstOctet, 0x80 | 126, .. extended[6..], .. _mask],
            _ => [(byte)firstOctet, 0x80 | 127, .. extended, .. _mask],
        };
    }

    /// <summary>A text message as fragments: one frame for each part.</summary>
    public static byte[][] Fragments(params string[] parts) =>
        [.. parts.Select((part, i) => Of(
            (i == 0 ? TextOpcode : Continuation) | (i == parts.Length - 1 ? Fin : 0), Encoding.UTF8.GetBytes(part)))];
}
