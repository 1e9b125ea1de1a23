using System.Text;
using ChannelServer.WebSockets;
using CsCheck;

namespace ChannelServer.Tests.WebSockets;

public sealed class RequestHeadTests
{
    private const string Sound = "GET /v1/ws/abc?x=1 HTTP/1.1\r\nHost: example.org\r\nUser-Agent:  a b \t\r\n\r\n";

    [Fact]
    public void A_sound_head_is_read_into_its_parts()
    {
        byte[] bytes = Encoding.ASCII.GetBytes(Sound + "rest");
        Assert.Equal(HeadStatus.Complete, RequestHead.TryParse(bytes, out RequestHead head));
        Assert.Equal("GET", Text(head.Method));
        Assert.Equal("/v1/ws/abc", Text(head.Path));
        Assert.Equal("x=1", Text(head.Query));
        Assert.Equal(1, head.MinorVersion);
        Assert.Equal(Sound.Length, head.Length);
        Assert.False(head.HasBody);
        Assert.True(head.TryGetSingle("user-agent"u8, out ReadOnlySpan<byte> agent));
        Assert.Equal("a b", Text(agent));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")] // RFC 9112, 2.2
    [InlineData("GET / HTTP/1.1\r\nHost:\r\n\r\n")] // RFC 9112, 3.2: empty when the target has no authority
    [InlineData("GET / HTTP/1.0\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: \u00e9\r\n\r\n")] // obs-text
    [InlineData("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")]
    public void What_RFC_9112_allows_is_complete(string text) => Assert.Equal(HeadStatus.Complete, Parse(text));

    [Theory]
    [InlineData("GET / HTTP/1.1\nHost: a\r\n\r\n", "bare LF after the request line")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\n\r\n", "bare LF after a field")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n\n", "bare LF as the empty line")]
    [InlineData("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "bare LF first")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "bare CR in a value")]
    [InlineData("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "two CR")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", "NUL in a value")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: a\u007fb\r\n\r\n", "DEL in a value")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: a\u001bb\r\n\r\n", "ESC in a value")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n", "obs-fold")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n\tX: b\r\n\r\n", "obs-fold with a tab")]
    [InlineData("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "white space after the request line")]
    [InlineData("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "space before the colon")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "no name")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nXb\r\n\r\n", "no colon")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX(y: b\r\n\r\n", "no token")]
    [InlineData("GET / HTTP/1.1\r\n\r\n", "no Host")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "two Hosts")]
    [InlineData("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "a list as Host")]
    [InlineData("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "user information in Host")]
    [InlineData("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "a path in Host")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "CL and TE")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "two CL")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", "a list as CL")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", "a sign in CL")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "an empty CL")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n", "an endless CL")]
    [InlineData("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "TE in HTTP/1.0")]
    [InlineData("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "two spaces")]
    [InlineData("GET / x HTTP/1.1\r\nHost: a\r\n\r\n", "space in the target")]
    [InlineData("GET /\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n", "no ASCII in the target")]
    [InlineData("GET HTTP/1.1\r\nHost: a\r\n\r\n", "no target")]
    [InlineData("GET x HTTP/1.1\r\nHost: a\r\n\r\n", "a relative target")]
    [InlineData("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "asterisk-form without OPTIONS")]
    [InlineData("OPTIONS ? HTTP/1.1\r\nHost: a\r\n\r\n", "a query without a path")]
    [InlineData(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "space before the method")]
    [InlineData("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "no token as method")]
    [InlineData("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "another major version")]
    [InlineData("GET / HTTP/1.2\r\nHost: a\r\n\r\n", "another minor version")]
    [InlineData("GET / http/1.1\r\nHost: a\r\n\r\n", "version in lower case")]
    [InlineData("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "space after the version")]
    [InlineData("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "two empty lines first")]
    [InlineData("\0", "NUL first")]
    [InlineData("GET /ws?http://x/v1/ws/ x://y HTTP/1.1\r\nHost: a\r\n\r\n", "two targets")]
    [InlineData("GET a?b://c/v1/ws/ HTTP/1.1\r\nHost: a\r\n\r\n", "no scheme before ://")]
    public void What_RFC_9112_forbids_is_malformed(string text, string what) => Assert.True(Parse(text) == HeadStatus.Malformed, what);

    [Theory]
    [InlineData("http://example.org/v1/ws/?a=b", "/v1/ws/", "a=b")]
    [InlineData("http://example.org", "/", "")]
    [InlineData("http://example.org?x=/v1/ws/", "/", "x=/v1/ws/")]
    [InlineData("/v1/ws/?a?b", "/v1/ws/", "a?b")]
    [InlineData("/v1/ws/?u=http://x/y", "/v1/ws/", "u=http://x/y")]
    [InlineData("//v1/ws/", "//v1/ws/", "")]
    public void The_target_has_a_path_and_a_query(string target, string path, string query)
    {
        byte[] bytes = Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal(HeadStatus.Complete, RequestHead.TryParse(bytes, out RequestHead head));
        Assert.Equal(path, Text(head.Path));
        Assert.Equal(query, Text(head.Query));
    }

    [Theory]
    [InlineData("Content-Length: 0", false)]
    [InlineData("Content-Length: 00", false)]
    [InlineData("Content-Length: 1", true)]
    [InlineData("Transfer-Encoding: chunked", true)]
    [InlineData("Transfer-Encoding:", true)]
    public void A_body_is_announced_by_length_or_encoding(string field, bool hasBody)
    {
        byte[] bytes = Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        Assert.Equal(HeadStatus.Complete, RequestHead.TryParse(bytes, out RequestHead head));
        Assert.Equal(hasBody, head.HasBody);
    }

    [Theory]
    [InlineData(8192, nameof(HeadStatus.Complete))]
    [InlineData(8193, nameof(HeadStatus.TooLarge))]
    [InlineData(20000, nameof(HeadStatus.TooLarge))]
    public void The_limit_of_octets_is_exact(int octets, string expected)
    {
        string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        string text = start + new string('x', octets - start.Length - 4) + "\r\n\r\n";
        Assert.Equal(octets, text.Length);
        Assert.Equal(expected, Parse(text).ToString());
        // What follows the head does not count.
        Assert.Equal(expected, Parse(text + new string('y', 10000)).ToString());
    }

    [Fact]
    public void An_endless_line_is_too_large_as_soon_as_it_cannot_fit()
    {
        Assert.Equal(HeadStatus.Incomplete, Parse(new string('x', 8191)));
        Assert.Equal(HeadStatus.TooLarge, Parse(new string('x', 8192)));
    }

    [Theory]
    [InlineData(64, nameof(HeadStatus.Complete))]
    [InlineData(65, nameof(HeadStatus.TooLarge))]
    public void The_limit_of_fields_is_exact(int fields, string expected) =>
        Assert.Equal(expected, Parse("GET / HTTP/1.1\r\nHost: a\r\n" + string.Concat(Enumerable.Repeat("X: y\r\n", fields - 1)) + "\r\n").ToString());

    [Fact]
    public void No_prefix_of_a_sound_head_is_refused_or_complete()
    {
        for (int length = 0; length < Sound.Length; length++)
            Assert.Equal(HeadStatus.Incomplete, Parse(Sound[..length]));
    }

    [Fact]
    public void A_prefix_of_any_head_is_never_complete_and_a_refusal_is_final() =>
        MutatedHeads.Sample(bytes =>
        {
            HeadStatus whole = RequestHead.TryParse(bytes, out RequestHead head);
            int end = whole == HeadStatus.Complete ? head.Length : bytes.Length;
            for (int length = 0; length < end; length++)
            {
                HeadStatus prefix = RequestHead.TryParse(bytes.AsSpan(0, length), out _);
                Assert.NotEqual(HeadStatus.Complete, prefix);
                if (prefix != HeadStatus.Incomplete)
                    Assert.Equal(prefix, whole);
            }
        }, iter: 300);

    [Fact]
    public void Any_bytes_get_an_answer() => Gen.Byte.Array[0, 9000].Sample(bytes => { RequestHead.TryParse(bytes, out _); }, iter: 500);

    [Fact]
    public void A_list_is_searched_over_all_its_lines_and_ignores_case()
    {
        byte[] bytes = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive ,\tUPGRADE\r\nVia: a\r\nconnection: x\r\n\r\n"u8.ToArray();
        RequestHead.TryParse(bytes, out RequestHead head);
        Assert.True(head.HasToken("connection"u8, "upgrade"u8));
        Assert.True(head.HasToken("connection"u8, "x"u8));
        Assert.False(head.HasToken("connection"u8, "keep"u8));
        Assert.False(head.HasToken("connection"u8, "a"u8));
        Assert.False(head.TryGetSingle("connection"u8, out _));
        Assert.False(head.TryGetSingle("absent"u8, out _));
    }

    /// <summary>Sound heads with a few octets replaced by the ones that parsers stumble over.</summary>
    private static Gen<byte[]> MutatedHeads => Gen.Select(
        Gen.Int[0, Sound.Length - 1].Array[0, 4],
        Gen.Int[0, 8].Select(i => "\r\n \0:/\t?\u007f"[i]).Array[4],
        (places, octets) =>
        {
            byte[] bytes = Encoding.ASCII.GetBytes(Sound);
            for (int i = 0; i < places.Length; i++)
                bytes[places[i]] = (byte)octets[i];
            return bytes;
        });

    private static HeadStatus Parse(string text) => RequestHead.TryParse(Encoding.Latin1.GetBytes(text), out _);

    private static string Text(ReadOnlySpan<byte> octets) => Encoding.ASCII.GetString(octets);
}
