using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Requests that two parsers might read differently: refused, or read as one request; never as two.</summary>
public sealed class SmugglingTests
{
    private const string Smuggled = "GET /__version__ HTTP/1.1\r\nHost: a\r\n\r\n";

    private static readonly string[] _upgradeTricks =
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding:\tchunked",
        "Transfer-Encoding : chunked", "Content-Length: 40", "Content-Length: 0\r\nContent-Length: 40", "Content-Length: +1", "Content-Length: 0x10",
        "Host: b", " folded: obsolete", "X: a\r\n folded", "X: a\nY: b", "X\0: a", "X: a\0b", "no colon", ": no name", "X: a\rY: b",
    ];

    /// <summary>The same on a path that goes on to the HTTP server behind the channels.</summary>
    private static readonly string[] _httpTricks =
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Content-Length: 0\r\nContent-Length: 40",
        "Content-Length: +1", "Host: b", " folded: obsolete", "X: a\r\n folded", "X: a\nY: b", "X\0: a", "no colon", ": no name",
    ];

    [Fact]
    public async Task An_ambiguous_request_is_refused_and_what_follows_it_is_not_answered()
    {
        await using Trial trial = await Trial.StartCalmAsync();
        foreach (string trick in _upgradeTricks)
            await ExpectRefusedAsync(trial, new UpgradeRequest().With(trick).ToString(), trick);
        foreach (string trick in _httpTricks)
        {
            await ExpectRefusedAsync(trial, $"POST /__heartbeat__ HTTP/1.1\r\nHost: a\r\n{trick}\r\n\r\n0\r\n\r\n", trick);
            await ExpectRefusedAsync(trial, $"GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n{trick}\r\n\r\n0\r\n\r\n", trick);
        }
        await ExpectRefusedAsync(trial, "GET /__lbheartbeat__ HTTP/1.1\nHost: a\n\n", "bare LF");
        await ExpectRefusedAsync(trial, "GET  /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n", "two blanks");
        await ExpectRefusedAsync(trial, "GET /__lbheartbeat__ HTTP/1.1\r\n\r\n", "no Host");
        await ExpectRefusedAsync(trial, "POST /__heartbeat__ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;\nxx\r\n0\r\n\r\n", "LF in a chunk extension");
        await trial.ConcludeAsync();
    }

    [Fact]
    public async Task Floods_of_header_fields_are_refused()
    {
        await using Trial trial = await Trial.StartCalmAsync();
        string many = string.Concat(Enumerable.Range(0, 65).Select(i => $"X-{i}: a\r\n"));
        string large = $"X: {new string('x', 9000)}\r\n";
        foreach (string target in (string[])["/v1/ws/", "/__heartbeat__", "/nothing"])
        {
            foreach (string flood in (string[])[many, large])
            {
                await using RawConnection connection = await trial.ConnectAsync();
                await connection.SendAsync($"GET {target} HTTP/1.1\r\nHost: a\r\n{flood}\r\n");
                string answer = Encoding.ASCII.GetString(await connection.ReadToEndAsync(RawConnection.Patience));
                Assert.StartsWith("HTTP/1.1 431", answer, StringComparison.Ordinal);
            }
        }
        await trial.ConcludeAsync();
    }

    private static async Task ExpectRefusedAsync(Trial trial, string request, string trick)
    {
        await using RawConnection connection = await trial.ConnectAsync();
        await connection.SendAsync(request + Smuggled + Smuggled);
        string answer = Encoding.ASCII.GetString(await connection.ReadToEndAsync(RawConnection.Patience));
        Assert.True(answer.StartsWith("HTTP/1.1 4", StringComparison.Ordinal), $"{Escape(trick)} in {Escape(request)}: {Escape(answer)}");
        Assert.True(answer.LastIndexOf("HTTP/1.1 ", StringComparison.Ordinal) == 0, $"{Escape(trick)} in {Escape(request)}: {Escape(answer)}");
    }

    private static string Escape(string text) => System.Text.Json.JsonSerializer.Serialize(text);
}
