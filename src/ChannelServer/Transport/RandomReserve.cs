using System.Security.Cryptography;

namespace ChannelServer.Transport;

/// <summary>
/// Octets of the operating system's CSPRNG, fetched a few hundred ids at a time: a call for each id costs about a microsecond, most
/// of it not for the octets. Belongs to one shard. Used octets are wiped.
/// </summary>
internal sealed class RandomReserve
{
    private readonly byte[] _octets = new byte[4096];
    private int _used = 4096;

    /// <summary>Fills a span with octets that nobody has seen.</summary>
    /// <param name="octets">At most as long as the reserve.</param>
    public void Fill(Span<byte> octets)
    {
        if (_octets.Length - _used < octets.Length)
        {
            RandomNumberGenerator.Fill(_octets);
            _used = 0;
        }
        Span<byte> next = _octets.AsSpan(_used, octets.Length);
        next.CopyTo(octets);
        next.Clear();
        _used += octets.Length;
    }
}
