namespace ChannelServer.Transport.Linux;

/// <summary>
/// The connections of one thread by slot. The key that epoll reports holds the slot and a generation, so that an event for a
/// connection that has just been closed never reaches the next one in its slot.
/// </summary>
internal sealed class ConnectionTable
{
    private readonly Stack<int> _free = new();
    private SocketSession?[] _slots = new SocketSession?[64];
    private int _used;
    private uint _generation;

    public int Count { get; private set; }

    /// <summary>Gives a connection a slot.</summary>
    /// <returns>Its key: the generation in the high half, never all ones, and the slot in the low one.</returns>
    public ulong Add(SocketSession session)
    {
        if (!_free.TryPop(out int slot))
        {
            slot = _used++;
            if (slot == _slots.Length)
                Array.Resize(ref _slots, _slots.Length * 2);
        }
        _slots[slot] = session;
        Count++;
        _generation = (_generation + 1) & 0x7FFF_FFFF;
        return ((ulong)_generation << 32) | (uint)slot;
    }

    /// <summary>The connection of a key; null when it has gone.</summary>
    public SocketSession? Find(ulong key)
    {
        SocketSession? session = _slots[(uint)key];
        return session?.Key == key ? session : null;
    }

    /// <summary>Frees a connection's slot.</summary>
    public void Remove(ulong key)
    {
        _slots[(uint)key] = null;
        _free.Push((int)(uint)key);
        Count--;
    }

    /// <summary>All connections, as they are now.</summary>
    public IReadOnlyList<SocketSession> All() => [.. _slots.OfType<SocketSession>()];
}
