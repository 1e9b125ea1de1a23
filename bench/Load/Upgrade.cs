using System.Globalization;
using System.Text;

namespace ChannelServer.Bench;

/// <summary>The request by which a client begins, with the headers that a browser sends, and the answer it must get.</summary>
internal sealed class Upgrade
{
    /// <summary>As long as what real clients send, so that envelopes are as long as real ones.</summary>
    public const string UserAgent =
        "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

    private const string Key = "AQIDBAUGBwgJCgsMDQ4PEA==";

    private readonly byte[] _request = new byte[1024];
    private readonly byte[] _afterPath;

    public Upgrade(int port)
    {
        _afterPath = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"""
             HTTP/1.1
            Host: localhost:{port}
            User-Agent: {UserAgent}
            Accept: */*
            Accept-Language: en-US,en;q=0.5
            Accept-Encoding: gzip, deflate, br, zstd
            Sec-WebSocket-Version: 13
            Origin: https://accounts.example.org
            Sec-WebSocket-Key: {Key}
            Connection: keep-alive, Upgrade
            Sec-Fetch-Dest: empty
            Sec-Fetch-Mode: websocket
            Sec-Fetch-Site: cross-site
            Pragma: no-cache
            Cache-Control: no-cache
            Upgrade: websocket


            """).ReplaceLineEndings("\r\n"));
    }

    // The answer to the key, by RFC 6455, 4.2.2.
    private static ReadOnlySpan<byte> Accept => "C/0nmHhBztSRGR1CwL6Tf4ZjwpY=\r\n"u8;

    /// <summary>The request for a path; valid until the next.</summary>
    public ReadOnlySpan<byte> Request(ReadOnlySpan<byte> path)
    {
        "GET "u8.CopyTo(_request);
        path.CopyTo(_request.AsSpan(4));
        _afterPath.CopyTo(_request, 4 + path.Length);
        return _request.AsSpan(0, 4 + path.Length + _afterPath.Length);
    }

    /// <summary>Octets of the response head that accepts the request, 0 if it is not whole yet.</summary>
    public static int AcceptedBy(ReadOnlySpan<byte> response)
    {
        int end = response.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return 0;
        ReadOnlySpan<byte> head = response[..(end + 2)];
        if (!head.StartsWith("HTTP/1.1 101 "u8) || head.IndexOf(Accept) < 0)
            throw new LoadFailureException($"the upgrade was answered: {Encoding.Latin1.GetString(head)}");
        return end + 4;
    }
}
