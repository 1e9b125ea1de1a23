using System.Buffers.Binary;
using System.Buffers.Text;

namespace ChannelServer.Relay;

/// <summary>
/// The name of a channel, and the key to it: 16 random octets, written as 22 characters of unpadded base64url. Whoever knows it
/// can join, so it never reaches a log: <see cref="ToString"/> does not tell it.
/// </summary>
internal readonly record struct ChannelId
{
    /// <summary>Octets of an id: 128 bits, from the operating system's CSPRNG.</summary>
    public const int Octets = 16;

    /// <summary>Characters of an id as text.</summary>
    public const int Characters = 22;

    private readonly ulong _high;
    private readonly ulong _low;

    /// <summary>Makes the id of <see cref="Octets"/> octets. The core draws none itself: entropy comes from outside.</summary>
    public ChannelId(ReadOnlySpan<byte> octets)
    {
        _high = BinaryPrimitives.ReadUInt64BigEndian(octets);
        _low = BinaryPrimitives.ReadUInt64BigEndian(octets[8..]);
    }

    /// <summary>
    /// Reads an id. Trailing <c>=</c> is dropped; whatever else is not 22 canonical characters is no id, so that no two texts
    /// name one channel.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out ChannelId id)
    {
        id = default;
        text = text.TrimEnd((byte)'=');
        if (text.Length != Characters)
            return false;
        Span<byte> octets = stackalloc byte[Octets];
        if (Base64Url.DecodeFromUtf8(text, octets, out int read, out int written) != System.Buffers.OperationStatus.Done
            || read != Characters || written != Octets)
            return false;
        id = new ChannelId(octets);
        // 22 characters carry 132 bits. Texts whose last four are not zero would be aliases.
        Span<byte> canonical = stackalloc byte[Characters];
        id.Format(canonical);
        return text.SequenceEqual(canonical);
    }

    /// <summary>Writes the id as text.</summary>
    /// <param name="text">Room for <see cref="Characters"/> characters.</param>
    public void Format(Span<byte> text)
    {
        Span<byte> octets = stackalloc byte[Octets];
        BinaryPrimitives.WriteUInt64BigEndian(octets, _high);
        BinaryPrimitives.WriteUInt64BigEndian(octets[8..], _low);
        Base64Url.EncodeToUtf8(octets, text);
    }

    /// <summary>The shard that owns the channel. Ids are uniform, so any bits of them spread evenly.</summary>
    /// <param name="shards">How many shards there are.</param>
    public int ShardOf(int shards) => (int)(_high % (uint)shards);

    /// <inheritdoc/>
    public override int GetHashCode() => (int)_low;

    /// <summary>Never the id itself: it would let the reader of a log into the channel.</summary>
    public override string ToString() => nameof(ChannelId);
}
