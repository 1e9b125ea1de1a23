using System.Globalization;
using System.Text;

namespace ChannelServer.Http;

/// <summary>What a stranger sent, made fit for a log: one line, visible ASCII, bounded.</summary>
internal static class LogText
{
    /// <summary>Octets that are shown; more are told by an ellipsis.</summary>
    public const int MaxOctets = 64;

    /// <summary>The text with everything but visible ASCII, and the backslash and quote too, written as <c>\x1b</c>.</summary>
    public static string Of(ReadOnlySpan<byte> octets)
    {
        StringBuilder text = new(MaxOctets);
        foreach (byte octet in octets[..Math.Min(octets.Length, MaxOctets)])
        {
            if (octet is >= 0x20 and <= 0x7E and not (byte)'\\' and not (byte)'"')
                text.Append((char)octet);
            else
                text.Append(CultureInfo.InvariantCulture, $"\\x{octet:x2}");
        }
        if (octets.Length > MaxOctets)
            text.Append("...");
        return text.ToString();
    }
}
