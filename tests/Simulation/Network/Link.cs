namespace ChannelServer.Simulation;

/// <summary>
/// One direction of a connection: what was written comes out in the same order, some time later, cut anywhere, and no more than the
/// kernels at both ends hold is ever under way. Nothing is lost or swapped: that is TCP's promise.
/// </summary>
internal sealed class Link(int capacity)
{
    private readonly ByteQueue _octets = new();

    /// <summary>Octets that the reader can take now.</summary>
    public int Readable { get; private set; }

    /// <summary>Octets under way, which the reader cannot take yet.</summary>
    public int InFlight => _octets.Count - Readable;

    public int Room => capacity - _octets.Count;

    /// <summary>Whether the writer has ended the direction.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>Whether the reader knows that there is nothing more to come.</summary>
    public bool HasEndArrived { get; private set; }

    /// <summary>Whether the reader has something to learn.</summary>
    public bool HasNews => Readable > 0 || HasEndArrived;

    /// <summary>Whether something is still to be delivered.</summary>
    public bool IsUnderWay => InFlight > 0 || (IsEnded && !HasEndArrived);

    /// <summary>Whether a delivery stands in the agenda.</summary>
    public bool IsScheduled { get; set; }

    /// <returns>Octets accepted: as many as there is room for.</returns>
    public int Write(ReadOnlySpan<byte> octets)
    {
        int taken = IsEnded ? 0 : Math.Min(Room, octets.Length);
        _octets.Append(octets[..taken]);
        Written += taken;
        return taken;
    }

    public void End() => IsEnded = true;

    /// <summary>Octets that were ever written.</summary>
    public long Written { get; private set; }

    /// <summary>Octets that were ever read.</summary>
    public long Taken { get; private set; }

    /// <summary>Lets octets arrive; with the last of them, the end.</summary>
    public void Deliver(int octets)
    {
        Readable += octets;
        HasEndArrived = IsEnded && InFlight == 0;
    }

    public int Read(Span<byte> room)
    {
        int taken = Math.Min(room.Length, Readable);
        _octets.Peek[..taken].CopyTo(room);
        _octets.Drop(taken);
        Readable -= taken;
        Taken += taken;
        return taken;
    }

    public void Clear()
    {
        _octets.Clear();
        Readable = 0;
    }
}
