using System.Text;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.Http;

/// <summary>Request heads with the header lines that a test is about.</summary>
internal static class Heads
{
    /// <summary>A head as bytes; header lines as Latin-1, so that a test can say any octet.</summary>
    public static byte[] Bytes(params IEnumerable<string> lines) =>
        Encoding.Latin1.GetBytes("GET /v1/ws/ HTTP/1.1\r\nHost: a\r\n" + string.Concat(lines.Select(line => line + "\r\n")) + "\r\n");

    public static RequestHead Parse(byte[] bytes)
    {
        Assert.Equal(HeadStatus.Complete, RequestHead.TryParse(bytes, out RequestHead head));
        return head;
    }

    public static RequestHead With(params IEnumerable<string> lines) => Parse(Bytes(lines));
}
