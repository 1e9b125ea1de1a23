using System.Text;

namespace ChannelServer.Relay;

/// <summary>What happens to a message's text before it is relayed.</summary>
internal static class MessageText
{
    /// <summary>Removes surrounding Unicode white space, as Mozilla's server does with Rust's <c>trim</c>.</summary>
    /// <param name="utf8">Valid UTF-8.</param>
    public static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> utf8)
    {
        while (!utf8.IsEmpty && !IsInk(utf8[0]))
        {
            Rune.DecodeFromUtf8(utf8, out Rune rune, out int octets);
            if (!Rune.IsWhiteSpace(rune))
                break;
            utf8 = utf8[octets..];
        }
        while (!utf8.IsEmpty && !IsInk(utf8[^1]))
        {
            Rune.DecodeLastFromUtf8(utf8, out Rune rune, out int octets);
            if (!Rune.IsWhiteSpace(rune))
                break;
            utf8 = utf8[..^octets];
        }
        return utf8;
    }

    /// <summary>Whether one look shows that it is no white space: nearly every message ends here.</summary>
    private static bool IsInk(byte octet) => octet is > 0x20 and < 0x80;
}
