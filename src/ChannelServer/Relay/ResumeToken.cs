using System.Buffers;
using System.Buffers.Binary;

namespace ChannelServer.Relay;

/// <summary>
/// The key to one seat: 16 random octets, written as 32 lower-case hexadecimal digits. Whoever has it can take the seat, so it
/// never reaches a log: <see cref="ToString"/> does not tell it.
/// </summary>
internal readonly struct ResumeToken
{
    /// <summary>Octets of a token: 128 bits, from the operating system's CSPRNG.</summary>
    public const int Octets = 16;

    /// <summary>Characters of a token as text.</summary>
    public const int Characters = 32;

    private static readonly SearchValues<byte> _digits = SearchValues.Create("0123456789abcdef"u8);

    private readonly ulong _high;
    private readonly ulong _low;

    /// <summary>Makes the token of <see cref="Octets"/> octets.</summary>
    public ResumeToken(ReadOnlySpan<byte> octets)
    {
        _high = BinaryPrimitives.ReadUInt64BigEndian(octets);
        _low = BinaryPrimitives.ReadUInt64BigEndian(octets[8..]);
    }

    /// <summary>Reads a token; anything but 32 lower-case hexadecimal digits is none.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out ResumeToken token)
    {
        token = default;
        if (text.Length != Characters || text.ContainsAnyExcept(_digits))
            return false;
        Span<byte> octets = stackalloc byte[Octets];
        Convert.FromHexString(text, octets, out _, out _);
        token = new ResumeToken(octets);
        return true;
    }

    /// <summary>Writes the token as text.</summary>
    /// <param name="text">Room for <see cref="Characters"/> characters.</param>
    public void Format(Span<byte> text)
    {
        Span<byte> octets = stackalloc byte[Octets];
        BinaryPrimitives.WriteUInt64BigEndian(octets, _high);
        BinaryPrimitives.WriteUInt64BigEndian(octets[8..], _low);
        Convert.TryToHexStringLower(octets, text, out _);
    }

    /// <summary>
    /// Whether both are the same token. Looks at all 128 bits whatever they are, so that time tells nothing. The default is no token
    /// and matches none.
    /// </summary>
    public bool Matches(in ResumeToken other) => (((_high ^ other._high) | (_low ^ other._low)) == 0) & ((_high | _low) != 0);

    /// <summary>Never the token itself: it would let the reader of a log take the seat.</summary>
    public override string ToString() => nameof(ResumeToken);
}
