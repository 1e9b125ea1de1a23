using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>Writes the frames of clients, good ones and (when told so) bad ones.</summary>
internal static class ClientFrames
{
    private static readonly string[] _pieces =
    [
        "aGVsbG8td29ybGQ", "\"", "\\", "\u0000", "\u001f", "\n", "\u00e9", "\u20ac", "\U0001F600", "\u2028", "<>&", "\u007f",
    ];

    private static readonly string[] _blanks = ["", "", "", " ", "\t\n", "\u00a0", "\u3000", "\u0085 "];

    /// <summary>Appends one frame.</summary>
    public static void Frame(ByteQueue to, int firstOctet, ReadOnlySpan<byte> payload, Prng chance)
    {
        Header(to, firstOctet, payload.Length);
        Span<byte> key = stackalloc byte[4];
        chance.Fill(key);
        to.Append(key);
        for (int i = 0; i < payload.Length; i++)
            to.Append((byte)(payload[i] ^ key[i % 4]));
    }

    /// <summary>Appends a header without its key, for a payload of that many octets.</summary>
    public static void Header(ByteQueue to, int firstOctet, long length)
    {
        to.Append((byte)firstOctet);
        int octets = length is >= 0 and < 126 ? 0 : length is >= 0 and < 65536 ? 2 : 8;
        to.Append((byte)(0x80 | (octets == 0 ? (int)length : octets == 2 ? 126 : 127)));
        while (octets-- > 0)
            to.Append((byte)(length >> (8 * octets)));
    }

    /// <summary>Appends a text message: whole, or in fragments with something in between.</summary>
    public static void Message(ByteQueue to, byte[] text, Limits limits, Prng chance)
    {
        int fragments = chance.Chance(200) ? chance.Between(1, Math.Min(5, limits.MaxFragments)) : 1;
        int start = 0;
        for (int i = 1; i <= fragments; i++)
        {
            int end = i == fragments ? text.Length : start + chance.Below(text.Length - start + 1);
            int opcode = i == 1 ? 0x01 : 0x00;
            Frame(to, i == fragments ? 0x80 | opcode : opcode, text.AsSpan(start..end), chance);
            start = end;
            if (i < fragments && chance.Chance(300))
                Frame(to, 0x89, text.AsSpan(0, Math.Min(text.Length, chance.Below(126))), chance);
        }
    }

    /// <returns>The code that the answer must have.</returns>
    public static ushort Close(ByteQueue to, Prng chance)
    {
        int code = chance.Pick(0, 1000, 1001, 3000, 4999);
        byte[] reason = chance.Chance(500) ? [] : Encoding.UTF8.GetBytes("fertig \u2713");
        Frame(to, 0x88, code == 0 ? [] : [(byte)(code >> 8), (byte)code, .. reason], chance);
        return (ushort)(code == 0 ? 1000 : code);
    }

    /// <summary>A text of a size that is interesting, never over the limit for one message.</summary>
    public static byte[] Text(Limits limits, Prng chance)
    {
        int size = chance.Below(20) switch
        {
            0 => 0,
            1 => chance.Between(120, 130),
            2 => limits.MaxMessage - chance.Below(3),
            3 => chance.Below(4096),
            4 => chance.Chance(100) ? chance.Between(65500, 65540) : 200,
            _ => chance.Below(300),
        };
        size = Math.Clamp(size, 0, limits.MaxMessage);
        StringBuilder text = new(chance.Pick(_blanks));
        int octets = Encoding.UTF8.GetByteCount(text.ToString());
        string tail = chance.Pick(_blanks);
        while (octets < size)
        {
            string piece = chance.Chance(800) ? _pieces[0] : chance.Pick(_pieces);
            text.Append(piece);
            octets += Encoding.UTF8.GetByteCount(piece);
        }
        byte[] encoded = Encoding.UTF8.GetBytes(text.Append(tail).ToString());
        return encoded.Length <= size ? encoded : Cut(encoded, size);
    }

    /// <summary>The longest prefix of whole characters that fits.</summary>
    private static byte[] Cut(byte[] text, int size)
    {
        while (size > 0 && (text[size] & 0xC0) == 0x80)
            size--;
        return text[..size];
    }
}
