namespace ChannelServer.Relay;

/// <summary>Which frames a client understands: what it asked for in <c>Sec-WebSocket-Protocol</c>.</summary>
internal enum ProtocolVersion : byte
{
    /// <summary>A greeting and envelopes, as Mozilla's clients expect.</summary>
    One,

    /// <summary>Frames with a type: numbers, acknowledgements, presence, ends.</summary>
    Two,
}

/// <summary>What stands for a version on the wire.</summary>
internal static class ProtocolVersions
{
    /// <summary>The subprotocol of version 2. Version 1 has none.</summary>
    public static ReadOnlySpan<byte> VersionTwo => "channelserver.v2"u8;

    /// <summary>The subprotocol to answer with; empty for none.</summary>
    public static ReadOnlySpan<byte> Subprotocol(this ProtocolVersion version) => version == ProtocolVersion.Two ? VersionTwo : default;
}
