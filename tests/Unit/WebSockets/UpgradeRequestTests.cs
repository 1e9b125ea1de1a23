using System.Text;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.WebSockets;

public sealed class UpgradeRequestTests
{
    private const string Upgrade = "Upgrade: websocket\r\n";
    private const string Connection = "Connection: Upgrade\r\n";
    private const string Version = "Sec-WebSocket-Version: 13\r\n";
    private const string Key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    [Theory]
    [InlineData(Upgrade + Connection + Version + Key)]
    [InlineData("upgrade: WebSocket\r\nconnection: keep-alive, upgrade\r\n" + Version + Key)]
    [InlineData("Upgrade: h2c, websocket\r\n" + Connection + Version + Key)]
    [InlineData(Upgrade + Connection + Version + Key + "Content-Length: 0\r\n")]
    [InlineData(Upgrade + Connection + Version + Key + "Sec-WebSocket-Extensions: permessage-deflate\r\n")]
    public void A_right_handshake_is_accepted(string fields) => Assert.Equal(UpgradeVerdict.Accept, Judge(fields));

    [Theory]
    [InlineData("", nameof(UpgradeVerdict.UpgradeRequired))]
    [InlineData(Connection + Version + Key, nameof(UpgradeVerdict.UpgradeRequired))]
    [InlineData("Upgrade: websocket2\r\n" + Connection + Version + Key, nameof(UpgradeVerdict.UpgradeRequired))]
    [InlineData(Upgrade + Connection + Key, nameof(UpgradeVerdict.UpgradeRequired))]
    [InlineData(Upgrade + Connection + Key + "Sec-WebSocket-Version: 8\r\n", nameof(UpgradeVerdict.UpgradeRequired))]
    [InlineData(Upgrade + Connection + Key + "Sec-WebSocket-Version: 013\r\n", nameof(UpgradeVerdict.UpgradeRequired))]
    [InlineData(Upgrade + Version + Key, nameof(UpgradeVerdict.BadRequest))]
    [InlineData(Upgrade + "Connection: close\r\n" + Version + Key, nameof(UpgradeVerdict.BadRequest))]
    [InlineData(Upgrade + Connection + Version, nameof(UpgradeVerdict.BadRequest))]
    [InlineData(Upgrade + Connection + Version + Key + Key, nameof(UpgradeVerdict.BadRequest))]
    [InlineData(Upgrade + Connection + Version + Key + "Content-Length: 1\r\n", nameof(UpgradeVerdict.BadRequest))]
    [InlineData(Upgrade + Connection + Version + Key + "Transfer-Encoding: chunked\r\n", nameof(UpgradeVerdict.BadRequest))]
    public void A_wrong_handshake_is_told_apart(string fields, string verdict) => Assert.Equal(verdict, Judge(fields).ToString());

    [Theory]
    [InlineData("")]
    [InlineData("dGhlIHNhbXBsZSBub25jZQ")] // no padding
    [InlineData("dGhlIHNhbXBsZSBub25j")] // 15 octets
    [InlineData("dGhlIHNhbXBsZSBub25jZWU=")] // 17 octets
    [InlineData("dGhlIHNhbXBsZSBub25jZQ=!")]
    [InlineData("dGhlIHNhbXBsZS Bub25jZQ=")]
    [InlineData("dGhlIHNhbXBsZSBub25jZ\u00e9==")]
    [InlineData("dGhlIHNhbXBsZSBub25j_-==")] // base64url
    public void A_key_is_sixteen_octets_in_base64(string key) =>
        Assert.Equal(UpgradeVerdict.BadRequest, Judge($"{Upgrade}{Connection}{Version}Sec-WebSocket-Key: {key}\r\n"));

    [Fact]
    public void Only_GET_upgrades()
    {
        foreach (string method in (string[])["POST", "HEAD", "PUT", "OPTIONS", "get"])
            Assert.Equal(UpgradeVerdict.MethodNotAllowed, Judge(Upgrade + Connection + Version + Key, $"{method} / HTTP/1.1"));
    }

    [Fact]
    public void HTTP_1_0_cannot_upgrade() =>
        Assert.Equal(UpgradeVerdict.UpgradeRequired, Judge(Upgrade + Connection + Version + Key, "GET / HTTP/1.0"));

    [Fact]
    public void The_response_to_the_sample_of_RFC_6455_is_exact()
    {
        byte[] bytes = Request(Upgrade + Connection + Version + Key);
        RequestHead.TryParse(bytes, out RequestHead head);
        byte[] response = new byte[UpgradeRequest.ResponseSize];
        Assert.Equal(UpgradeRequest.ResponseSize, UpgradeRequest.WriteResponse(head, default, response));
        Assert.Equal(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            Encoding.ASCII.GetString(response));
        Assert.Equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", UpgradeRequest.Accept(head));
    }

    private static UpgradeVerdict Judge(string fields, string requestLine = "GET / HTTP/1.1")
    {
        byte[] bytes = Request(fields, requestLine);
        Assert.Equal(HeadStatus.Complete, RequestHead.TryParse(bytes, out RequestHead head));
        return UpgradeRequest.Judge(head);
    }

    private static byte[] Request(string fields, string requestLine = "GET / HTTP/1.1") =>
        Encoding.Latin1.GetBytes($"{requestLine}\r\nHost: a\r\n{fields}\r\n");
}
