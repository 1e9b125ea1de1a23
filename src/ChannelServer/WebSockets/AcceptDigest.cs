using System.Buffers.Binary;
using System.Numerics;

namespace ChannelServer.WebSockets;

/// <summary>
/// SHA-1 (RFC 3174) of exactly what a Sec-WebSocket-Accept is made of: the 24 octets of a key and the GUID of RFC 6455 (1.3). That message
/// fills the same two blocks every time, and of the second all is known, its schedule included. No secret depends on it. Through the
/// platform's library the digest costs more for the call than for the hashing.
/// </summary>
internal static class AcceptDigest
{
    /// <summary>Octets of a Sec-WebSocket-Key.</summary>
    public const int KeySize = 24;

    /// <summary>Octets of the digest.</summary>
    public const int Size = 20;

    private const int Rounds = 80;
    private const int BlockWords = 16;
    private const int KeyWords = KeySize / sizeof(uint);

    // The 36 octets behind the key, the bit behind the message, and padding to the end of the block.
    private static readonly uint[] _behindKey = Words([.. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8, 0x80, 0, 0, 0]);

    // Nothing but the length of the message in bits, at the block's end.
    private static readonly uint[] _secondBlock = Schedule([.. new uint[BlockWords - 1], (KeySize + 36) * 8]);

    /// <summary>Writes the digest.</summary>
    /// <param name="key">A key of <see cref="KeySize"/> octets, as it came.</param>
    /// <param name="digest">Room for <see cref="Size"/> octets.</param>
    public static void Write(ReadOnlySpan<byte> key, Span<byte> digest)
    {
        Span<uint> schedule = stackalloc uint[Rounds];
        for (int word = 0; word < KeyWords; word++)
            schedule[word] = BinaryPrimitives.ReadUInt32BigEndian(key[(word * sizeof(uint))..]);
        _behindKey.CopyTo(schedule[KeyWords..]);
        Expand(schedule);
        Span<uint> state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0];
        Compress(state, schedule);
        Compress(state, _secondBlock);
        for (int word = 0; word < state.Length; word++)
            BinaryPrimitives.WriteUInt32BigEndian(digest[(word * sizeof(uint))..], state[word]);
    }

    private static uint[] Words(ReadOnlySpan<byte> octets)
    {
        uint[] words = new uint[octets.Length / sizeof(uint)];
        for (int word = 0; word < words.Length; word++)
            words[word] = BinaryPrimitives.ReadUInt32BigEndian(octets[(word * sizeof(uint))..]);
        return words;
    }

    private static uint[] Schedule(ReadOnlySpan<uint> block)
    {
        uint[] schedule = new uint[Rounds];
        block.CopyTo(schedule);
        Expand(schedule);
        return schedule;
    }

    /// <summary>RFC 3174, 6.1, steps a and b.</summary>
    private static void Expand(Span<uint> schedule)
    {
        for (int round = BlockWords; round < Rounds; round++)
            schedule[round] = BitOperations.RotateLeft(schedule[round - 3] ^ schedule[round - 8] ^ schedule[round - 14] ^ schedule[round - 16], 1);
    }

    /// <summary>RFC 3174, 6.1, steps c to e, with the functions and constants of section 5.</summary>
    private static void Compress(Span<uint> state, ReadOnlySpan<uint> schedule)
    {
        (uint a, uint b, uint c, uint d, uint e) = (state[0], state[1], state[2], state[3], state[4]);
        for (int round = 0; round < Rounds; round++)
        {
            uint mixed = round switch
            {
                < 20 => (d ^ (b & (c ^ d))) + 0x5A827999,
                < 40 => (b ^ c ^ d) + 0x6ED9EBA1,
                < 60 => ((b & c) | (d & (b | c))) + 0x8F1BBCDC,
                _ => (b ^ c ^ d) + 0xCA62C1D6,
            };
            uint next = BitOperations.RotateLeft(a, 5) + mixed + e + schedule[round];
            (e, d, c, b, a) = (d, c, BitOperations.RotateLeft(b, 30), a, next);
        }
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
        state[4] += e;
    }
}
