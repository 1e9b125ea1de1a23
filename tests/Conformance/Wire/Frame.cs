namespace ChannelServer.Conformance.Wire;

/// <summary>One WebSocket frame as the server sent it.</summary>
/// <param name="Raw">Every octet of it, for comparison with the golden frames.</param>
internal readonly record struct Frame(byte FirstOctet, byte[] Payload, byte[] Raw)
{
    public const byte Text = 0x81;
    public const byte Close = 0x88;
    public const byte Ping = 0x89;
    public const byte Pong = 0x8A;

    public string PayloadText => Encoding.UTF8.GetString(Payload);

    /// <summary>For failure messages.</summary>
    public override string ToString() => FirstOctet switch
    {
        Text => $"text {PayloadText}",
        Close when Payload.Length >= 2 => $"close {(Payload[0] << 8) | Payload[1]} \"{Encoding.UTF8.GetString(Payload.AsSpan(2))}\"",
        _ => Convert.ToHexStringLower(Raw.AsSpan(0, Math.Min(Raw.Length, 64))),
    };
}
