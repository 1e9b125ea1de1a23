using System.Text;
using ChannelServer.Admission;
using ChannelServer.Transport;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.Transport;

public sealed class ChannelRouteTests
{
    private const string Handshake =
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    [Theory]
    [InlineData("/v1/ws/", "")]
    [InlineData("/v1/ws/abc", "abc")]
    [InlineData("/v1/ws/abc?resume=x/y", "abc")]
    [InlineData("/v1/ws/%2e", "%2e")]
    [InlineData("http://example.org/v1/ws/abc", "abc")]
    public void A_handshake_on_a_channel_path_becomes_a_session(string target, string id)
    {
        byte[] bytes = Request($"GET {target}", Handshake);
        Assert.Equal(HeadStatus.Complete, RequestHead.TryParse(bytes, out RequestHead head));
        ChannelRoute route = ChannelRoute.Of(head);
        Assert.Equal(RouteKind.Upgrade, route.Kind);
        Assert.Equal(id, Encoding.ASCII.GetString(route.ChannelId));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/v1/ws")]
    [InlineData("/v1/ws/a/b")]
    [InlineData("/v1/ws/a/")]
    [InlineData("/v1/wsx/")]
    [InlineData("/V1/ws/")]
    [InlineData("//v1/ws/")]
    [InlineData("/?/v1/ws/")]
    [InlineData("http://example.org?/v1/ws/")]
    [InlineData("/__heartbeat__")]
    public void Any_other_path_is_for_somebody_else(string target)
    {
        byte[] bytes = Request($"GET {target}", Handshake);
        Assert.Equal(HeadStatus.Complete, RequestHead.TryParse(bytes, out RequestHead head));
        Assert.Equal(RouteKind.Elsewhere, ChannelRoute.Of(head).Kind);
    }

    [Theory]
    [InlineData("GET", "", 426)]
    [InlineData("POST", Handshake, 405)]
    [InlineData("GET", Handshake + "Content-Length: 1\r\n", 400)]
    public void A_wrong_handshake_is_answered(string method, string fields, int status)
    {
        byte[] bytes = Request($"{method} /v1/ws/", fields);
        Assert.Equal(HeadStatus.Complete, RequestHead.TryParse(bytes, out RequestHead head));
        ChannelRoute route = ChannelRoute.Of(head);
        Assert.Equal((RouteKind.Refuse, status), (route.Kind, route.Fault.Status()));
    }

    [Fact]
    public void The_answers_are_whole_responses_that_end_the_connection()
    {
        foreach (int status in Enum.GetValues<RefusalReason>().Where(reason => reason != RefusalReason.None).Select(reason => reason.Status()).Distinct())
        {
            byte[] response = new byte[ErrorResponse.MaxSize];
            int written = ErrorResponse.Write(status, retryAfter: 0, DateTimeOffset.UnixEpoch, response);
            string text = Encoding.ASCII.GetString(response.AsSpan(0, written));
            Assert.StartsWith($"HTTP/1.1 {status} ", text, StringComparison.Ordinal);
            Assert.Contains("\r\nConnection: close", text, StringComparison.Ordinal);
            Assert.Contains("\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n", text, StringComparison.Ordinal);
            string body = text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
            Assert.Contains($"\r\nContent-Length: {body.Length}\r\n", text, StringComparison.Ordinal);
            Assert.Equal(status == 405, text.Contains("\r\nAllow: GET\r\n", StringComparison.Ordinal));
            Assert.Equal(status == 426, text.Contains("\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", StringComparison.Ordinal));
        }
    }

    private static byte[] Request(string start, string fields) => Encoding.ASCII.GetBytes($"{start} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
}
