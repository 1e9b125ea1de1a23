using System.Buffers.Binary;
using System.Globalization;

namespace ChannelServer.Bench;

/// <summary>
/// The bytes a client sends, made once, and the frame headers it reads. Masked as RFC 6455 (5.3) demands, with a key that is the
/// same throughout: servers must unmask whatever it is, and the generator must not be what is measured.
/// </summary>
internal static class ClientFrame
{
    public const int Text = 1;
    public const int Close = 8;
    public const int Ping = 9;
    public const int Pong = 10;

    private const string Base64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    private static ReadOnlySpan<byte> Mask => [0x37, 0xFA, 0x21, 0x3D];

    /// <summary>A close frame with code 1000.</summary>
    public static byte[] NormalClose { get; } = Build(Close, [0x03, 0xE8]);

    /// <summary>A text of base64url, as encrypted payloads are.</summary>
    public static string TextOf(int length) =>
        string.Create(length, 0, static (text, _) =>
        {
            for (int i = 0; i < text.Length; i++)
                text[i] = Base64Url[(int)((uint)i * 2654435761u >> 26)];
        });

    /// <summary>A masked frame.</summary>
    public static byte[] Build(int opcode, ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[MaxHeader + payload.Length];
        int length = Write(frame, opcode, payload);
        return frame[..length];
    }

    /// <summary>Octets of the longest client header: two, a length of eight, the mask.</summary>
    public const int MaxHeader = 14;

    /// <summary>Writes a masked frame and gives its length.</summary>
    public static int Write(Span<byte> frame, int opcode, ReadOnlySpan<byte> payload)
    {
        frame[0] = (byte)(0x80 | opcode);
        int at = 2;
        if (payload.Length < 126)
        {
            frame[1] = (byte)(0x80 | payload.Length);
        }
        else if (payload.Length <= ushort.MaxValue)
        {
            frame[1] = 0x80 | 126;
            BinaryPrimitives.WriteUInt16BigEndian(frame[2..], (ushort)payload.Length);
            at = 4;
        }
        else
        {
            frame[1] = 0x80 | 127;
            BinaryPrimitives.WriteUInt64BigEndian(frame[2..], (ulong)payload.Length);
            at = 10;
        }
        Mask.CopyTo(frame[at..]);
        at += 4;
        for (int i = 0; i < payload.Length; i++)
            frame[at + i] = (byte)(payload[i] ^ Mask[i & 3]);
        return at + payload.Length;
    }

    /// <summary>
    /// Whether a whole frame of a server stands at the start of the bytes. Throws for what no server may send: a fragment (none of
    /// the servers measured fragments), a reserved bit, a mask.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out int opcode, out int header, out int length)
    {
        opcode = header = length = 0;
        if (bytes.Length < 2)
            return false;
        if ((bytes[0] & 0xF0) != 0x80 || (bytes[1] & 0x80) != 0)
            throw new LoadFailureException(string.Create(CultureInfo.InvariantCulture, $"frame header {bytes[0]:X2} {bytes[1]:X2}"));
        opcode = bytes[0] & 0x0F;
        header = 2;
        length = bytes[1];
        if (length == 126)
        {
            header = 4;
            if (bytes.Length < header)
                return false;
            length = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        }
        else if (length == 127)
        {
            header = 10;
            if (bytes.Length < header)
                return false;
            length = checked((int)BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]));
        }
        return bytes.Length - header >= length;
    }
}
