using System.Text;
using BenchmarkDotNet.Attributes;
using ChannelServer.WebSockets;

namespace ChannelServer.Bench.Micro;

/// <summary>What one upgrade costs before its session begins.</summary>
public class UpgradeBenchmarks
{
    private readonly byte[] _request = Encoding.ASCII.GetBytes("""
        GET /v1/ws/IZ5B8Wj2qR1NlsNbSXQ2Fg HTTP/1.1
        Host: channelserver.example.org
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0
        Accept: */*
        Accept-Language: en-US,en;q=0.5
        Accept-Encoding: gzip, deflate, br, zstd
        Sec-WebSocket-Version: 13
        Origin: https://accounts.example.org
        Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==
        Connection: keep-alive, Upgrade
        Sec-Fetch-Dest: empty
        Sec-Fetch-Mode: websocket
        Sec-Fetch-Site: cross-site
        Pragma: no-cache
        Cache-Control: no-cache
        Upgrade: websocket


        """.ReplaceLineEndings("\r\n"));

    private readonly byte[] _response = new byte[UpgradeRequest.ResponseSize];

    [Benchmark]
    public int Parse()
    {
        Parsed(RequestHead.TryParse(_request, out RequestHead head));
        return head.Path.Length;
    }

    [Benchmark]
    public int ParseJudgeAndAnswer()
    {
        Parsed(RequestHead.TryParse(_request, out RequestHead head));
        return UpgradeRequest.Judge(head) == UpgradeVerdict.Accept
            ? UpgradeRequest.WriteResponse(head, default, _response)
            : throw new InvalidOperationException("the request was refused");
    }

    private static void Parsed(HeadStatus status)
    {
        if (status != HeadStatus.Complete)
            throw new InvalidOperationException($"the request is {status}");
    }
}
