using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Admission;

/// <summary>
/// Whom limits count as one client: an IPv4 address, or the /64 of an IPv6 address, within which a device takes addresses at will.
/// </summary>
/// <param name="Value">
/// The 64 bits of the prefix. An IPv4 address stands behind 0:ffff::/32, which is never assigned. 0 is nobody: the address is unknown.
/// </param>
internal readonly record struct ClientNetwork(ulong Value)
{
    private const ulong IPv4 = 0x0000_FFFF_0000_0000;

    public bool IsKnown => Value != 0;

    /// <summary>Whether there is a wider network that counts too.</summary>
    public bool HasSite => IsKnown && (Value & 0xFFFF_FFFF_0000_0000) != IPv4;

    /// <summary>The /48 of an IPv6 network: what a site gets, and a provider's customer at most.</summary>
    public ulong Site => Math.Max(1, Value & 0xFFFF_FFFF_FFFF_0000);

    /// <summary>The network of a client's address in canonical form.</summary>
    public static ClientNetwork Of(IPAddress? address)
    {
        if (address is null)
            return default;
        Span<byte> octets = stackalloc byte[16];
        address.TryWriteBytes(octets, out _);
        return new ClientNetwork(address.AddressFamily == AddressFamily.InterNetwork
            ? IPv4 | BinaryPrimitives.ReadUInt32BigEndian(octets)
            // ::/64 holds nothing but loopback and obsolete forms.
            : Math.Max(1, BinaryPrimitives.ReadUInt64BigEndian(octets)));
    }

    /// <summary>
    /// Whether the address is one that the public internet routes. Behind an address that is not, most likely sits a proxy that nobody
    /// has declared, and with it every client.
    /// </summary>
    public bool IsPublic
    {
        get
        {
            if (!IsKnown || Value == 1)
                return false;
            if (HasSite)
            {
                // fe80::/10 of the link, fc00::/7 of the site.
                return Value >> 54 != 0b1111_1110_10 && Value >> 57 != 0b1111_110;
            }
            uint address = (uint)Value;
            return !(address >> 24 is 0 or 10 or 127
                || address >> 20 == 0xAC1
                || address >> 16 is 0xC0A8 or 0xA9FE
                // 100.64/10 (RFC 6598), between a carrier and its customers, and inside clouds.
                || address >> 22 == 0x191);
        }
    }
}
