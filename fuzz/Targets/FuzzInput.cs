namespace ChannelServer.Fuzz;

/// <summary>Takes an input apart from its front. What is missing at the end reads as zero, so that any octets make sense.</summary>
internal ref struct FuzzInput(ReadOnlySpan<byte> octets)
{
    private ReadOnlySpan<byte> _rest = octets;

    public readonly bool IsEmpty => _rest.IsEmpty;

    public byte TakeByte()
    {
        if (_rest.IsEmpty)
            return 0;
        byte octet = _rest[0];
        _rest = _rest[1..];
        return octet;
    }

    public ReadOnlySpan<byte> Take(int most)
    {
        ReadOnlySpan<byte> taken = _rest[..Math.Min(most, _rest.Length)];
        _rest = _rest[taken.Length..];
        return taken;
    }

    public ReadOnlySpan<byte> TakeRest() => Take(_rest.Length);
}
