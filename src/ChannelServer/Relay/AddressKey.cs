using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Relay;

/// <summary>
/// What makes two client addresses "the same": an IPv4 address exactly, an IPv6 address by its /64 (the smallest network that a
/// household gets, and within which devices change addresses at will). The unknown address equals nothing, itself included.
/// </summary>
internal readonly struct AddressKey
{
    // IPv4 addresses stand in the low 32 bits; IPv6 prefixes are inverted, so that ::1 is not zero and only ffff:ffff::/32,
    // which is never assigned, could collide.
    private readonly ulong _value;

    private AddressKey(ulong value) => _value = value;

    /// <summary>No address could be told.</summary>
    public static AddressKey Unknown => default;

    /// <summary>The key of an address; <see cref="Unknown"/> for none.</summary>
    public static AddressKey Of(IPAddress? address)
    {
        if (address is null)
            return Unknown;
        Span<byte> octets = stackalloc byte[16];
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        address.TryWriteBytes(octets, out _);
        return new AddressKey(address.AddressFamily == AddressFamily.InterNetwork
            ? BinaryPrimitives.ReadUInt32BigEndian(octets)
            : ~BinaryPrimitives.ReadUInt64BigEndian(octets));
    }

    /// <summary>Whether both are known and the same.</summary>
    public bool Matches(AddressKey other) => _value != 0 && _value == other._value;
}
