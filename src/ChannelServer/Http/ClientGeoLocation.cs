using System.Buffers;
using System.Globalization;
using System.Text;
using ChannelServer.Geo;
using ChannelServer.WebSockets;

namespace ChannelServer.Http;

/// <summary>
/// Reads <c>X-Client-Geo-Location: region,city</c>, which Google's load balancer can be told to add. Only a trusted proxy's is
/// believed; the caller sees to that.
/// </summary>
internal static class ClientGeoLocation
{
    /// <summary>Octets of a part.</summary>
    public const int MaxPartOctets = 128;

    /// <summary>The place, or null where the header is missing, repeated, or has nothing of use. What follows a second comma is ignored.</summary>
    public static PlaceNames? Of(in RequestHead head) =>
        head.TryGetSingle("x-client-geo-location"u8, out ReadOnlySpan<byte> value) ? Parse(value) : null;

    /// <summary>Reads the header's value.</summary>
    public static PlaceNames? Parse(ReadOnlySpan<byte> value)
    {
        int comma = value.IndexOf((byte)',');
        ReadOnlySpan<byte> afterComma = comma < 0 ? default : value[(comma + 1)..];
        int secondComma = afterComma.IndexOf((byte)',');
        string? region = Part(comma < 0 ? value : value[..comma]);
        string? city = Part(secondComma < 0 ? afterComma : afterComma[..secondComma]);
        return region is null && city is null ? null : new PlaceNames(city, region, Country: null);
    }

    private static string? Part(ReadOnlySpan<byte> part)
    {
        part = RequestHead.TrimWhiteSpace(part);
        if (part.IsEmpty || part.Length > MaxPartOctets)
            return null;
        for (ReadOnlySpan<byte> rest = part; !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf8(rest, out Rune rune, out int octets) != OperationStatus.Done || !IsDisplayable(rune))
                return null;
            rest = rest[octets..];
        }
        return Encoding.UTF8.GetString(part);
    }

    /// <summary>No controls, and nothing that turns the direction of the text around it: this is shown to a person who must judge it.</summary>
    private static bool IsDisplayable(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
        && rune.Value is not (0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069));
}
