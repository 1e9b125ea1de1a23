using System.Buffers;
using System.Net;

namespace ChannelServer.Http;

/// <summary>
/// IP addresses as proxies and operators write them. Stricter than <see cref="IPAddress.TryParse(string, out IPAddress)"/>, which
/// takes <c>1</c>, <c>0x7f.1</c> and <c>010.0.0.1</c> for IPv4 addresses: where two programs read one text differently, an access
/// list has a hole.
/// </summary>
internal static class AddressText
{
    /// <summary>Characters of the longest IPv6 address: eight groups, the last two written as IPv4.</summary>
    private const int LongestAddress = 45;

    // No zone id (a link-local address means nothing beyond its link), no prefix length, no brackets.
    private static readonly SearchValues<byte> _ipv6Octets = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    /// <summary>Reads an address. IPv4 mapped into IPv6 comes out as IPv4.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out IPAddress address)
    {
        if (!TryParseAsWritten(text, out address))
            return false;
        address = Canonical(address);
        return true;
    }

    /// <summary>Reads an address and leaves a mapped one in its IPv6 form, to which its prefix length belongs.</summary>
    public static bool TryParseAsWritten(ReadOnlySpan<byte> text, out IPAddress address) =>
        text.Contains((byte)':') ? TryParseIPv6(text, out address) : TryParseIPv4(text, out address);

    /// <summary>
    /// Reads one hop of an X-Forwarded-For: an address, perhaps quoted, perhaps followed by a port, an IPv6 address perhaps in
    /// brackets and certainly so when a port follows.
    /// </summary>
    public static bool TryParseHop(ReadOnlySpan<byte> hop, out IPAddress address)
    {
        address = IPAddress.None;
        if (hop.Length >= 2 && hop[0] == '"' && hop[^1] == '"')
            hop = hop[1..^1];
        if (hop.IsEmpty)
            return false;
        if (hop[0] == '[')
        {
            int bracket = hop.IndexOf((byte)']');
            if (bracket < 0)
                return false;
            ReadOnlySpan<byte> inside = hop[1..bracket];
            ReadOnlySpan<byte> behind = hop[(bracket + 1)..];
            return inside.Contains((byte)':') && (behind.IsEmpty || IsColonAndPort(behind)) && TryParse(inside, out address);
        }
        int colon = hop.IndexOf((byte)':');
        bool hasPort = colon >= 0 && colon == hop.LastIndexOf((byte)':');
        return hasPort
            ? IsColonAndPort(hop[colon..]) && TryParseIPv4(hop[..colon], out address)
            : TryParse(hop, out address);
    }

    /// <summary>The one form in which equal addresses are equal: mapped IPv4 as IPv4, IPv6 without its zone.</summary>
    public static IPAddress Canonical(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            return address.MapToIPv4();
        bool hasZone = address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 && address.ScopeId != 0;
        return hasZone ? new IPAddress(address.GetAddressBytes()) : address;
    }

    private static bool TryParseIPv6(ReadOnlySpan<byte> text, out IPAddress address)
    {
        address = IPAddress.None;
        if (text.Length > LongestAddress || text.ContainsAnyExcept(_ipv6Octets))
            return false;
        int lastColon = text.LastIndexOf((byte)':');
        if (text.Contains((byte)'.') && !TryParseIPv4(text[(lastColon + 1)..], out _))
            return false;
        if (!IPAddress.TryParse(text, out IPAddress? parsed))
            return false;
        address = parsed;
        return true;
    }

    /// <summary>Four decimal numbers without leading zeros, which some programs read as octal.</summary>
    private static bool TryParseIPv4(ReadOnlySpan<byte> text, out IPAddress address)
    {
        address = IPAddress.None;
        Span<byte> octets = stackalloc byte[4];
        for (int index = 0; index < octets.Length; index++)
        {
            int end = index == octets.Length - 1 ? text.Length : text.IndexOf((byte)'.');
            if (end is < 1 or > 3)
                return false;
            if (!TryParseDecimal(text[..end], byte.MaxValue, out int octet) || (end > 1 && text[0] == '0'))
                return false;
            octets[index] = (byte)octet;
            text = end < text.Length ? text[(end + 1)..] : default;
        }
        address = new IPAddress(octets);
        return true;
    }

    private static bool IsColonAndPort(ReadOnlySpan<byte> text) =>
        text.Length is >= 2 and <= 6 && text[0] == ':' && TryParseDecimal(text[1..], ushort.MaxValue, out _);

    /// <summary>Reads digits and nothing else. The callers bound the length, so that nothing overflows.</summary>
    internal static bool TryParseDecimal(ReadOnlySpan<byte> digits, int highest, out int number)
    {
        number = 0;
        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return false;
            number = (number * 10) + (digit - '0');
        }
        return !digits.IsEmpty && number <= highest;
    }
}
