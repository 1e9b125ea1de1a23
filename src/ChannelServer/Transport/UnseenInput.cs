using System.Buffers;

namespace ChannelServer.Transport;

/// <summary>
/// What all connections on pipes of one shard have received and it has not looked at yet, and the arrays for it. It counts to nobody: what clients have the
/// server hold is bounded where the shard takes it in. 15,000 clients that sent 60 kB at once had a server hold 250 MB here, and end for want of memory.
/// Safe for any thread.
/// </summary>
internal sealed class UnseenInput
{
    /// <summary>
    /// From here on what arrives stays in each connection's pipe, which the shard reads itself when it comes to it. Ordinary traffic stays far below: the
    /// shard looks at what arrives as it arrives.
    /// </summary>
    public const int Most = 1024 * 1024;

    /// <summary>Arrays of each size that are kept for reuse at most.</summary>
    private const int Kept = 16;

    // The platform's shared pool keeps what a crowd has left for a minute or more, and cannot be asked for it.
    private ArrayPool<byte> _arrays = NewPool();
    private int _octets;

    /// <summary>Whether the shard does not keep up.</summary>
    public bool IsFull => Volatile.Read(ref _octets) >= Most;

    /// <summary>Octets that wait for the shard.</summary>
    public int Octets => Volatile.Read(ref _octets);

    /// <summary>Counts octets that have come, or, if negative, that have been looked at.</summary>
    public void Add(int octets) => Interlocked.Add(ref _octets, octets);

    /// <summary>Lends an array of at least that many octets, its content undefined.</summary>
    public byte[] Rent(int octets) => Volatile.Read(ref _arrays).Rent(octets);

    /// <summary>Takes an array back. The caller must not touch it again.</summary>
    public void Return(byte[] array) => Volatile.Read(ref _arrays).Return(array);

    /// <summary>Leaves the arrays that are kept for reuse to the collector.</summary>
    public void ReleaseArrays() => Volatile.Write(ref _arrays, NewPool());

    private static ArrayPool<byte> NewPool() => ArrayPool<byte>.Create(2 * ShardTurn.InputSize, Kept);
}
