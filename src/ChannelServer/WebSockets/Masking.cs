using System.Numerics;
using System.Runtime.InteropServices;

namespace ChannelServer.WebSockets;

/// <summary>The mask of client frames (RFC 6455, 5.3): octet i is combined with octet i mod 4 of the key.</summary>
internal static class Masking
{
    /// <summary>Masks or unmasks in place.</summary>
    /// <param name="octets">A run of a frame's payload.</param>
    /// <param name="key">The key, its first octet lowest.</param>
    /// <param name="phase">How far the run starts from a multiple of four octets of the payload.</param>
    public static void Apply(Span<byte> octets, uint key, int phase = 0)
    {
        // From here on the run starts with the key's first octet.
        key = BitOperations.RotateRight(key, 8 * (phase & 3));

        Vector<byte> wideKey = Vector.AsVectorByte(new Vector<uint>(BitConverter.IsLittleEndian ? key : BinarySwap(key)));
        Span<Vector<byte>> wide = MemoryMarshal.Cast<byte, Vector<byte>>(octets);
        for (int i = 0; i < wide.Length; i++)
            wide[i] ^= wideKey;

        Span<byte> rest = octets[(wide.Length * Vector<byte>.Count)..];
        for (int i = 0; i < rest.Length; i++)
            rest[i] ^= (byte)(key >> (8 * (i & 3)));
    }

    private static uint BinarySwap(uint value) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
}
