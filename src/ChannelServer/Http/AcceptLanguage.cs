using System.Text;
using ChannelServer.Relay;
using ChannelServer.WebSockets;

namespace ChannelServer.Http;

/// <summary>
/// Reads Accept-Language (RFC 9110, 12.5.4): language ranges (RFC 4647, 2.1) with qualities. A part that is not well formed is
/// passed over and the others count.
/// </summary>
internal static class AcceptLanguage
{
    /// <summary>Octets that are read. Browsers send under 100.</summary>
    public const int MaxOctets = 256;

    /// <summary>Well-formed ranges that are read.</summary>
    public const int MaxTags = 8;

    private const int HighestQuality = 1000;

    private static ReadOnlySpan<byte> Header => "accept-language"u8;

    /// <summary>Reads the header of a request, all its lines as one list.</summary>
    public static LanguagePriorityList Of(in RequestHead head)
    {
        if (head.TryGetSingle(Header, out ReadOnlySpan<byte> line))
            return Parse(line);
        // One octet more than is read tells Parse that the list was cut.
        Span<byte> joined = stackalloc byte[MaxOctets + 1];
        int length = 0;
        foreach (ReadOnlySpan<byte> value in head.Values(Header))
        {
            if (length > 0 && length < joined.Length)
                joined[length++] = (byte)',';
            int fitting = Math.Min(value.Length, joined.Length - length);
            value[..fitting].CopyTo(joined[length..]);
            length += fitting;
        }
        return Parse(joined[..length]);
    }

    /// <summary>Reads a header's value.</summary>
    public static LanguagePriorityList Parse(ReadOnlySpan<byte> value)
    {
        if (value.Length > MaxOctets)
        {
            // A range that the limit cuts in two must not be read as another one: en-GB is not en-G.
            int lastComma = value[..(MaxOctets + 1)].LastIndexOf((byte)',');
            value = lastComma < 0 ? default : value[..lastComma];
        }

        Span<Range> ranges = stackalloc Range[MaxTags];
        Span<short> qualities = stackalloc short[MaxTags];
        int count = 0;
        int accepted = 0;
        foreach (Range part in value.Split((byte)','))
        {
            if (count == MaxTags)
                break;
            int start = part.Start.GetOffset(value.Length);
            if (!TryParsePart(value[part], out Range tag, out int quality))
                continue;
            ranges[count] = (start + tag.Start.Value)..(start + tag.End.Value);
            qualities[count++] = (short)quality;
            accepted += quality > 0 ? 1 : 0;
        }
        return count == 0 ? LanguagePriorityList.None : Sorted(value, ranges[..count], qualities[..count], accepted);
    }

    /// <summary>Best quality first; among equals their order decides.</summary>
    private static LanguagePriorityList Sorted(
        ReadOnlySpan<byte> value, ReadOnlySpan<Range> ranges, Span<short> qualities, int accepted)
    {
        string[] tags = accepted == 0 ? [] : new string[accepted];
        string[] excluded = accepted == ranges.Length ? [] : new string[ranges.Length - accepted];
        int filled = 0;
        for (int index = 0; index < ranges.Length; index++)
        {
            if (qualities[index] == 0)
                excluded[filled++] = Encoding.ASCII.GetString(value[ranges[index]]);
        }
        for (filled = 0; filled < accepted; filled++)
        {
            int best = 0;
            for (int index = 1; index < ranges.Length; index++)
            {
                if (qualities[index] > qualities[best])
                    best = index;
            }
            tags[filled] = Encoding.ASCII.GetString(value[ranges[best]]);
            qualities[best] = 0;
        }
        return new LanguagePriorityList(tags, excluded);
    }

    private static bool TryParsePart(ReadOnlySpan<byte> part, out Range tag, out int quality)
    {
        quality = HighestQuality;
        int start = part.IndexOfAnyExcept((byte)' ', (byte)'\t');
        tag = default;
        if (start < 0)
            return false;
        int semicolon = part.IndexOf((byte)';');
        ReadOnlySpan<byte> range = part[start..(semicolon < 0 ? part.Length : Math.Max(start, semicolon))].TrimEnd(" \t"u8);
        tag = start..(start + range.Length);
        return IsLanguageRange(range) && (semicolon < 0 || TryParseWeight(part[(semicolon + 1)..], out quality));
    }

    /// <summary>RFC 4647, 2.1: subtags of one to eight letters or digits, the first of letters only, or the wildcard alone.</summary>
    private static bool IsLanguageRange(ReadOnlySpan<byte> range)
    {
        if (range.SequenceEqual("*"u8))
            return true;
        bool isPrimary = true;
        foreach (Range part in range.Split((byte)'-'))
        {
            ReadOnlySpan<byte> subtag = range[part];
            if (subtag.Length is < 1 or > 8)
                return false;
            foreach (byte octet in subtag)
            {
                bool isAllowed = isPrimary ? char.IsAsciiLetter((char)octet) : char.IsAsciiLetterOrDigit((char)octet);
                if (!isAllowed)
                    return false;
            }
            isPrimary = false;
        }
        return true;
    }

    /// <summary>RFC 9110, 12.4.2: <c>q=</c> and 0 to 1 with at most three decimals, here in thousandths.</summary>
    private static bool TryParseWeight(ReadOnlySpan<byte> weight, out int quality)
    {
        quality = 0;
        weight = RequestHead.TrimWhiteSpace(weight);
        if (weight.Length is < 3 or > 7 || (weight[0] | 0x20) != 'q' || weight[1] != '=')
            return false;
        ReadOnlySpan<byte> number = weight[2..];
        if (number[0] is not ((byte)'0' or (byte)'1') || (number.Length > 1 && number[1] != '.'))
            return false;
        quality = (number[0] - '0') * HighestQuality;
        int unit = HighestQuality / 10;
        foreach (byte digit in number.Length > 2 ? number[2..] : default)
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return false;
            quality += (digit - '0') * unit;
            unit /= 10;
        }
        return quality <= HighestQuality;
    }
}
