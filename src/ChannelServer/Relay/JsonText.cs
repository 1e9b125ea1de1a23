using System.Buffers;

namespace ChannelServer.Relay;

/// <summary>Writes text into JSON strings: raw UTF-8, only what RFC 8259 (section 7) demands is escaped, as Mozilla's server did.</summary>
internal static class JsonText
{
    /// <summary>How many times longer text can get: a control becomes <c>\u001f</c>.</summary>
    public const int MaxExpansion = 6;

    private static readonly SearchValues<byte> _escaped = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(octet => (byte)octet), (byte)'"', (byte)'\\']);

    /// <summary>Escapes valid UTF-8 for use between the quotes of a JSON string.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="destination">Room for <see cref="MaxExpansion"/> times the text.</param>
    /// <returns>Octets written.</returns>
    public static int Escape(ReadOnlySpan<byte> utf8, Span<byte> destination)
    {
        int written = 0;
        while (true)
        {
            int plain = utf8.IndexOfAny(_escaped);
            if (plain < 0)
            {
                utf8.CopyTo(destination[written..]);
                return written + utf8.Length;
            }
            utf8[..plain].CopyTo(destination[written..]);
            written += plain;
            written += EscapeOctet(utf8[plain], destination[written..]);
            utf8 = utf8[(plain + 1)..];
        }
    }

    /// <summary>How many octets <see cref="Escape"/> writes.</summary>
    public static int EscapedLength(ReadOnlySpan<byte> utf8)
    {
        Span<byte> scratch = stackalloc byte[MaxExpansion];
        int length = utf8.Length;
        for (int next = utf8.IndexOfAny(_escaped); next >= 0; next = utf8.IndexOfAny(_escaped))
        {
            length += EscapeOctet(utf8[next], scratch) - 1;
            utf8 = utf8[(next + 1)..];
        }
        return length;
    }

    private static int EscapeOctet(byte octet, Span<byte> destination)
    {
        destination[0] = (byte)'\\';
        byte shortForm = octet switch
        {
            (byte)'"' => (byte)'"',
            (byte)'\\' => (byte)'\\',
            (byte)'\b' => (byte)'b',
            (byte)'\t' => (byte)'t',
            (byte)'\n' => (byte)'n',
            (byte)'\f' => (byte)'f',
            (byte)'\r' => (byte)'r',
            _ => 0,
        };
        if (shortForm != 0)
        {
            destination[1] = shortForm;
            return 2;
        }
        "u00"u8.CopyTo(destination[1..]);
        destination[4] = "0123456789abcdef"u8[octet >> 4];
        destination[5] = "0123456789abcdef"u8[octet & 15];
        return 6;
    }
}
