namespace ChannelServer.Autobahn;

/// <summary>How the octets of a step are given to the network.</summary>
internal enum Chops
{
    /// <summary>All of them at once.</summary>
    None,

    /// <summary>A write for each frame.</summary>
    Frames,

    /// <summary>A write for each octet.</summary>
    Octets,
}

/// <summary>How a connection ends.</summary>
internal enum Ending
{
    /// <summary>It does not: the client closes when it has seen enough, and the server echoes that.</summary>
    None,

    /// <summary>The server answers the client's close frame.</summary>
    Echoed,

    /// <summary>The server fails the connection: a close frame with a code, and the end of the stream.</summary>
    Failed,
}

/// <summary>
/// One case of the suite, as RFC 6455 words what must happen: what the client sends, every frame that must come of it, in order and
/// nothing else, and how the connection ends.
/// </summary>
/// <param name="Number">The number that the Autobahn test suite gives it.</param>
/// <param name="Sent">The client's frames.</param>
internal sealed record Case(string Number, params byte[][] Sent)
{
    public Chops Chops { get; init; }

    /// <summary>Octets of a write, where <see cref="Chops"/> does not say.</summary>
    public int ChopSize { get; init; }

    public IReadOnlyList<Received> Expected { get; init; } = [];

    public Ending Ending { get; init; }

    /// <summary>The code of the server's close frame.</summary>
    public int Code { get; init; }

    /// <summary>The frames are answered so.</summary>
    public Case Answers(params Received[] frames) => this with { Expected = [.. Expected, .. frames] };

    /// <summary>The server fails the connection, having sent nothing but what has been said so far.</summary>
    public Case Fails(int code = 1002) => this with { Ending = Ending.Failed, Code = code };

    /// <summary>The server answers the client's close frame.</summary>
    public Case Closes(int code) => this with { Ending = Ending.Echoed, Code = code };

    public Case InChops(Chops chops) => this with { Chops = chops };

    /// <summary>The writes, in order.</summary>
    public IEnumerable<byte[]> Writes() => (Chops, ChopSize) switch
    {
        (Chops.Frames, _) => Sent,
        (Chops.Octets, _) => All.Chunk(1),
        (_, > 0) => All.Chunk(ChopSize),
        _ => [All],
    };

    private byte[] All => [.. Sent.SelectMany(frame => frame)];
}

/// <summary>A frame as the server sends it.</summary>
internal sealed record Received(byte FirstOctet, byte[] Payload)
{
    public static Received Text(byte[] payload) => new(0x81, payload);

    public static Received Binary(byte[] payload) => new(0x82, payload);

    public static Received Pong(byte[] payload) => new(0x8A, payload);

    public override string ToString() =>
        $"{FirstOctet:x2}, {Payload.Length} octets: {Convert.ToHexStringLower(Payload.AsSpan(0, Math.Min(Payload.Length, 64)))}";
}
