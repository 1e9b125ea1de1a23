using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ChannelServer.Transport.Linux;

/// <summary>
/// An IPv4 or IPv6 socket address as the kernel reads and writes it: <c>struct sockaddr_in</c> (ip(7)) and
/// <c>struct sockaddr_in6</c> (ipv6(7)) in the octets of the larger one. Port and address stand in network order.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SockAddr
{
    private const int PortOffset = 2;
    private const int AddressOffset4 = 4;
    private const int AddressOffset6 = 8;
    private const int ScopeOffset6 = 24;
    private const int Length4 = 16;
    private const int Length6 = 28;

    private Octets _octets;

    /// <summary>An address and port to bind or connect to.</summary>
    public SockAddr(IPAddress address, int port)
    {
        Span<byte> octets = _octets;
        bool is4 = address.AddressFamily is AddressFamily.InterNetwork;
        ushort family = (ushort)(is4 ? LibC.AF_INET : LibC.AF_INET6);
        MemoryMarshal.Write(octets, in family); // the family alone is in the machine's own order
        BinaryPrimitives.WriteUInt16BigEndian(octets[PortOffset..], checked((ushort)port));
        address.TryWriteBytes(octets[(is4 ? AddressOffset4 : AddressOffset6)..], out _);
        if (!is4)
        {
            uint scope = (uint)address.ScopeId;
            MemoryMarshal.Write(octets[ScopeOffset6..], in scope);
        }
    }

    /// <summary><see cref="LibC.AF_INET"/> or <see cref="LibC.AF_INET6"/>.</summary>
    public readonly int Family => MemoryMarshal.Read<ushort>(Bytes);

    /// <summary>The port, 0 if none is bound.</summary>
    public readonly int Port => BinaryPrimitives.ReadUInt16BigEndian(Bytes[PortOffset..]);

    /// <summary>Octets that count for this family.</summary>
    public readonly uint Length => Family == LibC.AF_INET ? Length4 : (uint)Length6;

    /// <summary>
    /// The address without its scope, four octets or sixteen, in network order; an IPv4 address that came in over an IPv6 socket
    /// (<c>::ffff:a.b.c.d</c>) as its four.
    /// </summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<byte> AddressOctets
    {
        get
        {
            if (Family == LibC.AF_INET)
                return Bytes.Slice(AddressOffset4, 4);
            ReadOnlySpan<byte> octets = Bytes.Slice(AddressOffset6, 16);
            return octets.StartsWith(MappedPrefix) ? octets[12..] : octets;
        }
    }

    private static ReadOnlySpan<byte> MappedPrefix => [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF];

    [UnscopedRef]
    private readonly ReadOnlySpan<byte> Bytes => _octets;

    /// <summary>The address for code at the edge: one allocation. A mapped IPv4 address comes out as IPv4.</summary>
    public readonly IPAddress ToIPAddress() => AddressOctets.Length == 4
        ? new IPAddress(AddressOctets)
        : new IPAddress(AddressOctets, MemoryMarshal.Read<uint>(Bytes[ScopeOffset6..]));

    [InlineArray(Length6)]
    private struct Octets
    {
        private byte _first;
    }
}
