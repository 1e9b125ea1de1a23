namespace ChannelServer.Simulation;

/// <summary>Something that a client must see: a frame of the server, or the upgrade response before all frames.</summary>
/// <param name="Opcode">The frame's opcode; <see cref="Head"/> for the upgrade response.</param>
/// <param name="Payload">Its payload.</param>
internal sealed record ModelFrame(int Opcode, byte[] Payload)
{
    public const int Head = -1;
    public const int Text = 1;
    public const int Close = 8;
    public const int Ping = 9;
    public const int Pong = 10;

    /// <summary>The octets before the payload. The server's frames are final, unmasked, of the shortest length form.</summary>
    public byte[] Header { get; } = Opcode == Head ? []
        : Payload.Length < 126 ? [(byte)(0x80 | Opcode), (byte)Payload.Length]
        : Payload.Length < 65536 ? [(byte)(0x80 | Opcode), 126, (byte)(Payload.Length >> 8), (byte)Payload.Length]
        : [(byte)(0x80 | Opcode), 127, 0, 0, 0, 0,
            (byte)(Payload.Length >> 24), (byte)(Payload.Length >> 16), (byte)(Payload.Length >> 8), (byte)Payload.Length];

    public int Size => Header.Length + Payload.Length;
}
