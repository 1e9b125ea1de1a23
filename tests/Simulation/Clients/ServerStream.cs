namespace ChannelServer.Simulation;

/// <summary>
/// What a client makes of the server's octets: the upgrade response, then frames. Whatever RFC 6455 forbids a server is a failure.
/// </summary>
internal sealed class ServerStream(int number, byte[] head)
{
    private readonly ByteQueue _held = new();
    private bool _isPastHead;

    /// <summary>Octets of what is not complete.</summary>
    public int Left => _held.Count;

    public void Append(ReadOnlySpan<byte> octets) => _held.Append(octets);

    /// <summary>The next complete frame.</summary>
    public bool TryTake(out int opcode, out byte[] payload)
    {
        (opcode, payload) = (0, []);
        if (!TryPassHead())
            return false;
        ReadOnlySpan<byte> octets = _held.Peek;
        if (octets.Length < 2)
            return false;
        opcode = octets[0] & 0x0F;
        Require((octets[0] & 0xF0) == 0x80, "The server sent a frame that is not final or uses reserved bits");
        Require(opcode is 1 or 8 or 9 or 10, $"The server sent opcode {opcode}");
        Require(octets[1] < 0x80, "The server masked a frame");

        int size = octets[1] == 126 ? 4 : octets[1] == 127 ? 10 : 2;
        Require(opcode < 8 || size == 2, "The server sent a control frame that is too long");
        if (octets.Length < size)
            return false;
        long length = size == 2 ? octets[1] : 0;
        for (int i = 2; i < size; i++)
            length = (length * 256) + octets[i];
        Require(size == 2 || length >= (size == 4 ? 126 : 65536), "The server did not use the shortest length");
        if (octets.Length < size + length)
            return false;
        payload = octets.Slice(size, (int)length).ToArray();
        _held.Drop(size + payload.Length);
        return true;
    }

    private bool TryPassHead()
    {
        if (_isPastHead)
            return true;
        if (_held.Count < head.Length)
            return false;
        Require(_held.Peek.StartsWith(head), "The upgrade response is not what was given");
        _held.Drop(head.Length);
        return _isPastHead = true;
    }

    private void Require(bool holds, string what) => SimulationFailure.Unless(holds, what, number);
}
