namespace ChannelServer.Simulation;

/// <summary>Octets, first in, first out.</summary>
internal sealed class ByteQueue
{
    private byte[] _octets = [];
    private int _start;
    private int _end;

    public int Count => _end - _start;

    public ReadOnlySpan<byte> Peek => _octets.AsSpan(_start, Count);

    public void Append(ReadOnlySpan<byte> octets)
    {
        octets.CopyTo(Reserve(octets.Length));
        _end += octets.Length;
    }

    public void Append(byte octet)
    {
        Reserve(1)[0] = octet;
        _end++;
    }

    public void Drop(int octets)
    {
        _start += octets;
        if (_start == _end)
            _start = _end = 0;
    }

    public void Clear() => (_octets, _start, _end) = ([], 0, 0);

    private Span<byte> Reserve(int octets)
    {
        if (_octets.Length - _end < octets)
        {
            byte[] target = _octets.Length >= 2 * (Count + octets) ? _octets : new byte[Math.Max(128, 2 * (Count + octets))];
            Peek.CopyTo(target);
            (_octets, _start, _end) = (target, 0, Count);
        }
        return _octets.AsSpan(_end);
    }
}
