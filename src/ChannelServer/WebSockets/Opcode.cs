namespace ChannelServer.WebSockets;

/// <summary>The frame types of RFC 6455 (5.2). Values in between are reserved.</summary>
internal enum Opcode : byte
{
    /// <summary>A further fragment of the message under way.</summary>
    Continuation = 0x0,

    /// <summary>A text message, or its first fragment.</summary>
    Text = 0x1,

    /// <summary>A binary message, or its first fragment.</summary>
    Binary = 0x2,

    /// <summary>The last frame that its sender sends.</summary>
    Close = 0x8,

    /// <summary>Asks for a pong with the same payload.</summary>
    Ping = 0x9,

    /// <summary>Answers a ping, or tells of life.</summary>
    Pong = 0xA,
}
