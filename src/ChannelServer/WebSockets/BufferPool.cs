using System.Numerics;

namespace ChannelServer.WebSockets;

/// <summary>
/// Byte arrays for one thread: powers of two from <see cref="Smallest"/> up, kept for reuse within a bound. The platform's shared
/// pool would do, but it locks beyond the first array of a size, and how much it keeps is its own affair.
/// </summary>
internal sealed class BufferPool
{
    /// <summary>The smallest array: an upgrade response with its greeting, or an envelope of a typical pairing message.</summary>
    public const int Smallest = 512;

    /// <summary>Octets that the pool keeps of each size at most; what comes back beyond that is left to the collector.</summary>
    private const int KeptPerSize = 512 * 1024;

    /// <summary>Up to 1 GiB: an outbox holds envelopes of the largest max_message, 16 MiB, each octet of it escaped to six.</summary>
    private const int Sizes = 22;

    private readonly Stack<byte[]>[] _kept = new Stack<byte[]>[Sizes];

    public BufferPool()
    {
        for (int size = 0; size < Sizes; size++)
            _kept[size] = new Stack<byte[]>();
    }

    /// <summary>Arrays lent and not yet returned.</summary>
    public int Lent { get; private set; }

    /// <summary>Octets of the arrays lent and not yet returned.</summary>
    public long OctetsLent { get; private set; }

    /// <summary>Lends an array of at least that many octets, its content undefined.</summary>
    public byte[] Rent(int octets)
    {
        Lent++;
        int size = SizeOf(octets);
        OctetsLent += Smallest << size;
        return _kept[size].TryPop(out byte[]? array) ? array : GC.AllocateUninitializedArray<byte>(Smallest << size);
    }

    /// <summary>Takes an array back. The caller must not touch it again.</summary>
    public void Return(byte[] array)
    {
        Lent--;
        OctetsLent -= array.Length;
        Stack<byte[]> kept = _kept[SizeOf(array.Length)];
        if ((kept.Count + 1L) * array.Length <= KeptPerSize)
            kept.Push(array);
    }

    /// <summary>An array twice as large or more, holding the octets of <paramref name="used"/>; the old one is taken back.</summary>
    public byte[] Grow(byte[] array, Range used, int octets)
    {
        byte[] larger = Rent(Math.Max(octets, array.Length * 2));
        array.AsSpan(used).CopyTo(larger);
        Return(array);
        return larger;
    }

    /// <summary>Leaves what it keeps for reuse to the collector.</summary>
    public void Release()
    {
        foreach (Stack<byte[]> kept in _kept)
        {
            kept.Clear();
            kept.TrimExcess();
        }
    }

    private static int SizeOf(int octets) =>
        octets <= Smallest ? 0 : BitOperations.Log2((uint)(octets - 1)) - BitOperations.Log2(Smallest) + 1;
}
