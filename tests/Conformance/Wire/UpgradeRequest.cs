namespace ChannelServer.Conformance.Wire;

/// <summary>A channel upgrade request, right unless told otherwise.</summary>
internal sealed record UpgradeRequest(string Target = "/v1/ws/")
{
    /// <summary>The example of RFC 6455, section 1.3, and the answer that it gives.</summary>
    public const string Key = "dGhlIHNhbXBsZSBub25jZQ==";
    public const string Accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    public string Method { get; init; } = "GET";
    public string Version { get; init; } = "HTTP/1.1";
    public string? Host { get; init; } = "channel.example";
    public string? Upgrade { get; init; } = "websocket";
    public string? Connection { get; init; } = "Upgrade";
    public string? WebSocketKey { get; init; } = Key;
    public string? WebSocketVersion { get; init; } = "13";

    /// <summary>Further lines, each without its CRLF.</summary>
    public IReadOnlyList<string> More { get; init; } = [];

    public UpgradeRequest With(params string[] lines) => this with { More = [.. More, .. lines] };

    public override string ToString()
    {
        StringBuilder head = new($"{Method} {Target} {Version}\r\n");
        Field("Host", Host);
        Field("Upgrade", Upgrade);
        Field("Connection", Connection);
        Field("Sec-WebSocket-Key", WebSocketKey);
        Field("Sec-WebSocket-Version", WebSocketVersion);
        foreach (string line in More)
            head.Append(line).Append("\r\n");
        return head.Append("\r\n").ToString();

        void Field(string name, string? value)
        {
            if (value is not null)
                head.Append(name).Append(": ").Append(value).Append("\r\n");
        }
    }

    public byte[] ToBytes() => Encoding.Latin1.GetBytes(ToString());
}
