using System.Net;
using System.Text;
using ChannelServer.Geo;
using ChannelServer.Relay;

namespace ChannelServer.Http;

/// <summary>
/// Writes the object behind <c>"sender":</c>: compact, keys in alphabetical order, absent facts omitted. Once per session, so it
/// allocates the array that it returns and, for ordinary lengths, nothing else.
/// </summary>
internal static class SenderJson
{
    /// <summary>Octets that most objects stay under even if every octet needed the longest escape.</summary>
    private const int OrdinaryOctets = 2048;

    /// <summary>Braces, and for each of five facts its key, quotes, colon and comma.</summary>
    private const int FrameOctets = 2 + (5 * 13);

    /// <summary>Octets of the longest address as text.</summary>
    private const int AddressOctets = 45;

    /// <summary>Encodes the facts.</summary>
    /// <param name="place">Where the sender is; its names bounded by who made them.</param>
    /// <param name="remote">The sender's address, or null.</param>
    /// <param name="userAgent">The sender's user agent in UTF-8, or nothing.</param>
    public static byte[] Encode(in PlaceNames place, IPAddress? remote, ReadOnlySpan<byte> userAgent)
    {
        int names = Utf8Bound(place.City) + Utf8Bound(place.Country) + Utf8Bound(place.Region);
        int bound = FrameOctets + AddressOctets + ((names + userAgent.Length) * JsonText.MaxExpansion);
        Span<byte> json = bound <= OrdinaryOctets ? stackalloc byte[OrdinaryOctets] : new byte[bound];

        json[0] = (byte)'{';
        int length = 1;
        AppendText("\"city\":\""u8, place.City, json, ref length);
        AppendText("\"country\":\""u8, place.Country, json, ref length);
        AppendText("\"region\":\""u8, place.Region, json, ref length);
        if (remote is not null)
        {
            Begin("\"remote\":\""u8, json, ref length);
            remote.TryFormat(json[length..], out int written);
            End(written, json, ref length);
        }
        if (!userAgent.IsEmpty)
        {
            Begin("\"ua\":\""u8, json, ref length);
            End(JsonText.Escape(userAgent, json[length..]), json, ref length);
        }
        json[length++] = (byte)'}';
        return json[..length].ToArray();
    }

    private static int Utf8Bound(string? text) => text is null ? 0 : Encoding.UTF8.GetMaxByteCount(text.Length);

    private static void AppendText(ReadOnlySpan<byte> opening, string? text, Span<byte> json, ref int length)
    {
        if (string.IsNullOrEmpty(text))
            return;
        Begin(opening, json, ref length);
        Span<byte> utf8 = stackalloc byte[GeoPlace.MaxNameOctets];
        int octets = Encoding.UTF8.GetBytes(text, utf8);
        End(JsonText.Escape(utf8[..octets], json[length..]), json, ref length);
    }

    private static void Begin(ReadOnlySpan<byte> opening, Span<byte> json, ref int length)
    {
        if (length > 1)
            json[length++] = (byte)',';
        opening.CopyTo(json[length..]);
        length += opening.Length;
    }

    private static void End(int written, Span<byte> json, ref int length)
    {
        length += written;
        json[length++] = (byte)'"';
    }
}
