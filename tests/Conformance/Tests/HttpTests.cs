using System.Text.Json;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Which status a request gets (docs/protocol.md, "HTTP").</summary>
public sealed class HttpTests(Servers servers)
{
    private static readonly UpgradeRequest _upgrade = new();

    [Fact]
    public async Task A_channel_upgrade_gets_101_and_the_right_accept_value()
    {
        HttpResponse response = await AnswerAsync(_upgrade);

        Assert.Equal(101, response.Status);
        Assert.Equal("websocket", response["Upgrade"], ignoreCase: true);
        Assert.Equal("Upgrade", response["Connection"], ignoreCase: true);
        Assert.Equal(UpgradeRequest.Accept, response["Sec-WebSocket-Accept"]);
        Assert.False(response.Has("Content-Length"), "A 101 has no body (RFC 9110, section 8.6).");
        Assert.False(response.Has("Transfer-Encoding"), "A 101 has no body (RFC 9112, section 6.1).");
    }

    [Theory]
    [InlineData("Upgrade: WebSocket", "Connection: keep-alive, Upgrade")]
    [InlineData("upgrade: websocket", "connection: UPGRADE")]
    [InlineData("UPGRADE: websocket", "Connection: keep-alive\r\nConnection: upgrade")]
    public async Task Names_and_tokens_of_an_upgrade_ignore_case(string upgrade, string connection)
    {
        HttpResponse response = await AnswerAsync((_upgrade with { Upgrade = null, Connection = null }).With(upgrade, connection));
        Assert.Equal(101, response.Status);
    }

    [Fact]
    public async Task No_extension_is_negotiated_even_when_offered()
    {
        HttpResponse response = await AnswerAsync(_upgrade.With("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"));
        Assert.Equal(101, response.Status);
        Assert.False(response.Has("Sec-WebSocket-Extensions"));
    }

    [Fact]
    public async Task No_subprotocol_is_echoed()
    {
        HttpResponse response = await AnswerAsync(_upgrade.With("Sec-WebSocket-Protocol: chat, superchat"));
        Assert.Equal(101, response.Status);
        Assert.False(response.Has("Sec-WebSocket-Protocol"));
    }

    [Fact]
    public async Task Any_origin_may_connect()
    {
        HttpResponse response = await AnswerAsync(_upgrade.With("Origin: https://elsewhere.example"));
        Assert.Equal(101, response.Status);
    }

    [Fact]
    public async Task A_query_does_not_change_the_path()
    {
        HttpResponse response = await AnswerAsync(_upgrade with { Target = "/v1/ws/?from=example" });
        Assert.Equal(101, response.Status);
    }

    [Theory]
    [InlineData("/v1/ws/", null, "13")]
    [InlineData("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA", null, "13")]
    [InlineData("/v1/ws/", "h2c", "13")]
    [InlineData("/v1/ws/", "websocket", "7")]
    [InlineData("/v1/ws/", "websocket", "8")]
    [InlineData("/v1/ws/", "websocket", "12")]
    [InlineData("/v1/ws/", "websocket", "14")]
    [InlineData("/v1/ws/", "websocket", "013")]
    [InlineData("/v1/ws/", "websocket", null)]
    [InlineData("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA", "websocket", "8")]
    public async Task No_upgrade_or_another_version_gets_426(string target, string? upgrade, string? version)
    {
        HttpResponse response = await AnswerAsync(_upgrade with
        {
            Target = target,
            Upgrade = upgrade,
            Connection = upgrade is null ? null : "Upgrade",
            WebSocketVersion = version,
        });

        Assert.Equal(426, response.Status);
        Assert.Equal("websocket", response["Upgrade"]);
        Assert.Equal("13", response["Sec-WebSocket-Version"]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("dGhlIHNhbXBsZSBub25j")] // 15 octets
    [InlineData("AAECAwQFBgcICQoLDA0ODxA=")] // 17 octets
    [InlineData("dGhlIHNhbXBsZSBub25jZQ")] // without its padding
    [InlineData("!!hlIHNhbXBsZSBub25jZQ==")]
    [InlineData(UpgradeRequest.Key + "\r\nSec-WebSocket-Key: " + UpgradeRequest.Key)]
    public async Task A_bad_key_gets_400(string? key)
    {
        HttpResponse response = await AnswerAsync(_upgrade with { WebSocketKey = key });
        Assert.Equal(400, response.Status);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("close")]
    [InlineData("keep-alive")]
    public async Task A_connection_field_without_upgrade_gets_400(string? connection)
    {
        HttpResponse response = await AnswerAsync(_upgrade with { Connection = connection });
        Assert.Equal(400, response.Status);
    }

    [Theory]
    [InlineData("Content-Length: 5")]
    [InlineData("Transfer-Encoding: chunked")]
    public async Task A_body_on_an_upgrade_gets_400(string field)
    {
        HttpResponse response = await AnswerAsync(_upgrade.With(field));
        Assert.Equal(400, response.Status);
    }

    [Theory]
    [InlineData("POST", "/v1/ws/")]
    [InlineData("PUT", "/v1/ws/AAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("get", "/v1/ws/")] // Methods are case-sensitive.
    [InlineData("POST", "/__heartbeat__")]
    [InlineData("DELETE", "/__lbheartbeat__")]
    [InlineData("PATCH", "/__version__")]
    public async Task Another_method_on_a_known_path_gets_405(string method, string target)
    {
        HttpResponse response = await AnswerAsync(Plain(method, target));
        Assert.Equal(405, response.Status);
        Assert.Equal("GET", response["Allow"]);
    }

    [Fact]
    public async Task Another_method_with_an_upgrade_gets_405()
    {
        HttpResponse response = await AnswerAsync(_upgrade with { Method = "POST" });
        Assert.Equal(405, response.Status);
        Assert.Equal("GET", response["Allow"]);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/v1")]
    [InlineData("/v1/ws")]
    [InlineData("/V1/WS/")]
    [InlineData("/v2/ws/")]
    [InlineData("/v1/ws/a/b")]
    [InlineData("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA/")]
    [InlineData("/__heartbeat__/")]
    [InlineData("/v1/%77s/")]
    public async Task Any_other_path_gets_404_with_and_without_an_upgrade(string target)
    {
        Assert.Equal(404, (await AnswerAsync(Plain("GET", target))).Status);
        Assert.Equal(404, (await AnswerAsync(_upgrade with { Target = target })).Status);
    }

    [Fact]
    public async Task The_health_check_tells_version_and_status()
    {
        using JsonDocument health = await ReadJsonAsync("/__heartbeat__");
        Assert.Equal("ok", health.RootElement.GetProperty("status").GetString());
        Assert.Equal(JsonValueKind.String, health.RootElement.GetProperty("version").ValueKind);
    }

    [Fact]
    public async Task The_load_balancer_check_gets_200() =>
        Assert.Equal(200, (await AnswerAsync(Plain("GET", "/__lbheartbeat__"))).Status);

    [Fact]
    public async Task The_version_is_Dockerflows_object()
    {
        using JsonDocument version = await ReadJsonAsync("/__version__");
        Assert.All(
            ["source", "version", "commit", "build"],
            name => Assert.Equal(JsonValueKind.String, version.RootElement.GetProperty(name).ValueKind));
    }

    [Fact]
    public async Task HTTP_1_0_may_ask_for_health() =>
        Assert.Equal(200, (await AnswerAsync(Plain("GET", "/__lbheartbeat__") with { Version = "HTTP/1.0" })).Status);

    private static UpgradeRequest Plain(string method, string target) =>
        new(target) { Method = method, Upgrade = null, Connection = null, WebSocketKey = null, WebSocketVersion = null };

    private async Task<JsonDocument> ReadJsonAsync(string target)
    {
        HttpResponse response = await AnswerAsync(Plain("GET", target));
        Assert.Equal(200, response.Status);
        Assert.StartsWith("application/json", response["Content-Type"], StringComparison.Ordinal);
        return JsonDocument.Parse(response.Body);
    }

    private async Task<HttpResponse> AnswerAsync(UpgradeRequest request)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(request.ToBytes());
        return await connection.ReadResponseAsync();
    }
}
