using System.Net;
using ChannelServer.WebSockets;

namespace ChannelServer.Http;

/// <summary>Why a trusted proxy's X-Forwarded-For did not tell the client's address.</summary>
internal enum ForwardedFault
{
    /// <summary>It did, or nobody asked it.</summary>
    None,

    /// <summary>There is no such header.</summary>
    Missing,

    /// <summary>A hop is no address. What stands left of it is not believed: a proxy did not know its peer.</summary>
    Unparsable,

    /// <summary>Every hop is a trusted proxy or loopback.</summary>
    OnlyProxies,

    /// <summary>No other address among the last <see cref="ClientAddress.MaxHops"/> hops.</summary>
    TooManyHops,
}

/// <summary>Where a request comes from: the peer, or the client for whom a trusted proxy speaks.</summary>
/// <param name="Address">The client's address, in canonical form; null when it cannot be told.</param>
/// <param name="PeerIsTrusted">Whether a trusted proxy speaks, so that its headers are believed.</param>
/// <param name="Fault">Why a trusted proxy's word did not do.</param>
/// <param name="Hop">The hop to blame, counted from the right, from one.</param>
/// <param name="HopText">What that hop says, escaped and cut, fit for a log.</param>
internal readonly record struct ClientAddress(
    IPAddress? Address, bool PeerIsTrusted, ForwardedFault Fault = ForwardedFault.None, int Hop = 0, string? HopText = null)
{
    /// <summary>Hops that are looked at. Chains of three are long.</summary>
    public const int MaxHops = 32;

    private static ReadOnlySpan<byte> Header => "x-forwarded-for"u8;

    /// <summary>Tells the client of a request.</summary>
    /// <param name="head">The request.</param>
    /// <param name="peer">The other end of the connection; null when the transport does not know.</param>
    /// <param name="proxies">Whose headers are believed.</param>
    public static ClientAddress Of(in RequestHead head, IPAddress? peer, TrustedProxies proxies)
    {
        if (peer is null)
            return default;
        peer = AddressText.Canonical(peer);
        if (!proxies.Contains(peer))
            return new ClientAddress(peer, PeerIsTrusted: false);
        if (head.TryGetSingle(Header, out ReadOnlySpan<byte> line))
            return Walk(line, proxies);
        return head.Values(Header).MoveNext()
            ? WalkJoined(head, proxies)
            : new ClientAddress(null, PeerIsTrusted: true, ForwardedFault.Missing);
    }

    /// <summary>Several lines are one list, in their order (RFC 9110, 5.3). Rare, so the common path need not clear this buffer.</summary>
    private static ClientAddress WalkJoined(in RequestHead head, TrustedProxies proxies)
    {
        Span<byte> joined = stackalloc byte[RequestHead.MaxBytes];
        int length = 0;
        foreach (ReadOnlySpan<byte> line in head.Values(Header))
        {
            if (length > 0)
                joined[length++] = (byte)',';
            line.CopyTo(joined[length..]);
            length += line.Length;
        }
        return Walk(joined[..length], proxies);
    }

    /// <summary>
    /// From the right, because each proxy appends the peer it saw: the first address that is no proxy of ours was seen by one of
    /// ours. What stands left of it is the client's own claim.
    /// </summary>
    private static ClientAddress Walk(ReadOnlySpan<byte> hops, TrustedProxies proxies)
    {
        for (int number = 1; number <= MaxHops; number++)
        {
            int comma = hops.LastIndexOf((byte)',');
            ReadOnlySpan<byte> hop = RequestHead.TrimWhiteSpace(hops[(comma + 1)..]);
            if (!AddressText.TryParseHop(hop, out IPAddress address))
                return new ClientAddress(null, PeerIsTrusted: true, ForwardedFault.Unparsable, number, LogText.Of(hop));
            // Loopback is a proxy on the machine of another proxy. As a peer it would be a client.
            if (!IPAddress.IsLoopback(address) && !proxies.Contains(address))
                return new ClientAddress(address, PeerIsTrusted: true);
            if (comma < 0)
                return new ClientAddress(null, PeerIsTrusted: true, ForwardedFault.OnlyProxies, number, LogText.Of(hop));
            hops = hops[..comma];
        }
        return new ClientAddress(null, PeerIsTrusted: true, ForwardedFault.TooManyHops, MaxHops + 1);
    }
}
