using System.Text.Json;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>The log tells what happened, and nothing that was said.</summary>
public sealed class LogTests
{
    private const string Secret = "c2VjcmV0LW1lc3NhZ2U";
    private const string MadeUp = "0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_line_holds_a_channel_id_or_a_message(bool chatty)
    {
        ServerUnderTest server = await ServerProcess.StartAsync(chatty ? ["--debug=true", "--verbose=true"] : []);
        await using ServerProcess process = server.Process!;
        string log = await UseAndStopAsync(server);
        Assert.All(log.Split('\n', StringSplitOptions.RemoveEmptyEntries), AssertJsonObject);
    }

    [Fact]
    public async Task Readable_logs_hold_no_control_characters_of_a_client()
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--human_logs=true", "--debug=true", "--verbose=true");
        await using ServerProcess process = server.Process!;
        string log = await UseAndStopAsync(server);
        Assert.DoesNotContain("\u009b", log, StringComparison.Ordinal);
        Assert.NotEmpty(log);
    }

    /// <summary>
    /// Whose request it was is told as far as it is known: behind a proxy the client, and the proxy only where the head cannot be read. First requests
    /// of a connection and later ones pass through different code.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refused_request_is_told_with_its_reason_what_to_do_and_whose_it_was(bool late)
    {
        const string Forwarded = "X-Forwarded-For: 198.51.100.7";
        ServerUnderTest server = await ServerProcess.StartAsync("--debug=true", "--trusted_proxy_list=127.0.0.1", "--allowed_origins=https://example.com");
        await using ServerProcess process = server.Process!;
        Assert.Equal(426, await AnswerAsync(new UpgradeRequest("/v1/ws/") { Upgrade = null }.With(Forwarded)));
        Assert.Equal(426, await AnswerAsync(new UpgradeRequest("/v1/ws/") { Upgrade = null }));
        Assert.Equal(405, await AnswerAsync(new UpgradeRequest("/v1/ws/") { Method = "POST" }.With(Forwarded)));
        Assert.Equal(400, await AnswerAsync(new UpgradeRequest("/v1/ws/") { WebSocketKey = "x" }.With(Forwarded)));
        Assert.Equal(403, await AnswerAsync(new UpgradeRequest("/v1/ws/").With(Forwarded, "Origin: https://example.org")));
        if (!late)
            Assert.Equal(400, await AnswerAsync(new UpgradeRequest("/v1/ws/") { Method = "BREW /" }.With(Forwarded)));
        ServerProcess.Outcome outcome = await process.StopAsync();

        List<string> told = [];
        foreach (string line in outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            using JsonDocument json = JsonDocument.Parse(line);
            JsonElement fields = json.RootElement.GetProperty("Fields");
            Assert.NotEqual("ForwardedAddressUnusable", fields.GetProperty("event").GetString());
            if (!fields.TryGetProperty("status", out JsonElement status))
                continue;
            Assert.NotEmpty(fields.GetProperty("advice").GetString()!);
            string whose = fields.TryGetProperty("peer", out JsonElement peer) ? $"peer {peer}" : $"remote {fields.GetProperty("remote")}";
            told.Add($"{fields.GetProperty("reason")} {status} {whose}");
        }
        string[] expected =
        [
            "no_upgrade 426 remote 198.51.100.0/24", "no_upgrade 426 remote ", "method 405 remote 198.51.100.0/24",
            "handshake 400 remote 198.51.100.0/24", "origin 403 remote 198.51.100.0/24", "malformed_head 400 peer 127.0.0.0/24",
        ];
        Assert.Equal(late ? expected[..^1] : expected, told);

        async Task<int> AnswerAsync(UpgradeRequest request)
        {
            await using RawConnection connection = await ConnectAsync(server, late);
            await connection.SendAsync(request.ToBytes());
            return (await connection.ReadResponseAsync()).Status;
        }
    }

    /// <summary>Seats taken back, claims refused, and upgrades behind other requests of a connection, which pass through an HTTP server that has a log of its own.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_line_holds_a_token_whichever_way_it_came(bool readable)
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--verbose=true", "--debug=true", $"--human_logs={(readable ? "true" : "false")}");
        await using ServerProcess process = server.Process!;
        HashSet<string> secrets = [Secret, MadeUp];
        await UseSeatsAsync(server, secrets, late: false);
        await UseSeatsAsync(server, secrets, late: true);
        ServerProcess.Outcome outcome = await process.StopAsync();

        string log = outcome.Output + outcome.Errors;
        // Two channels; each has the tokens of two joins and two resumes.
        Assert.Equal(2 + (2 * (1 + 4)), secrets.Count);
        Assert.All(secrets, secret => AssertAbsent(secret, log));
        Assert.Contains("resume_refused", log, StringComparison.Ordinal);
    }

    /// <summary>Looks for half of it too: a line may be cut.</summary>
    private static void AssertAbsent(string secret, string log)
    {
        Assert.DoesNotContain(secret[..(secret.Length / 2)], log, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(secret[(secret.Length / 2)..], log, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>A channel in which each seat is lost and taken back, and claimed by those who have no right to it.</summary>
    private static async Task UseSeatsAsync(ServerUnderTest server, HashSet<string> secrets, bool late)
    {
        await using ChannelClient first = await EnterAsync("/v1/ws/");
        await using ChannelClient second = await EnterAsync($"/v1/ws/{first.ChannelId}", ChannelClient.VersionTwo);
        await second.SendTextAsync(Secret);
        await first.ExpectMessagesAsync(Secret);
        first.Connection.Reset();
        await second.ExpectPeerAsync("1", "away");
        await second.SendTextAsync(Secret);
        await using ChannelClient firstBack = await EnterAsync(ChannelClient.ResumeTarget(first.ChannelId, first.Token, 1));
        await firstBack.ExpectMessagesAsync(Secret);
        // The earlier socket of this one is still there.
        await using ChannelClient secondBack = await EnterAsync(
            ChannelClient.ResumeTarget(second.ChannelId, second.Token, 0), ChannelClient.VersionTwo);
        foreach (string target in (string[])[
            ChannelClient.ResumeTarget(first.ChannelId, MadeUp),
            ChannelClient.ResumeTarget(first.ChannelId, first.Token + "0"),
            ChannelClient.ResumeTarget(first.ChannelId, firstBack.Token, 99),
            ChannelClient.ResumeTarget("nonsense", firstBack.Token),
            ChannelClient.ResumeTarget(first.ChannelId, secondBack.Token)])
        {
            await using ChannelClient refused = await ChannelClient.UpgradeAsync(await ConnectAsync(server, late), target);
            await refused.ExpectCloseAsync("close-4401");
        }
        await firstBack.SendAsync(ClientFrame.Text(Secret), ClientFrame.Binary(Encoding.ASCII.GetBytes(Secret)));
        await firstBack.ExpectCloseAsync("close-1003");
        foreach (string refused in (string[])["POST", "BREW /"])
        {
            // Refused before it comes to an upgrade.
            await using RawConnection connection = await ConnectAsync(server, late);
            await connection.SendAsync(new UpgradeRequest(ChannelClient.ResumeTarget(first.ChannelId, secondBack.Token)) { Method = refused }.ToBytes());
            Assert.InRange((await connection.ReadResponseAsync()).Status, 400, 499);
        }

        async Task<ChannelClient> EnterAsync(string target, params string[] headers)
        {
            ChannelClient client = await ChannelClient.UpgradeAsync(await ConnectAsync(server, late), target, headers);
            await client.ReadGreetingAsync();
            secrets.Add(client.ChannelId);
            secrets.Add(client.Token);
            return client;
        }
    }

    /// <summary>A connection, on which another request was answered when it is late.</summary>
    private static async Task<RawConnection> ConnectAsync(ServerUnderTest server, bool late)
    {
        RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        if (late)
        {
            await connection.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n\r\n");
            Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
        }
        return connection;
    }

    private static void AssertJsonObject(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        Assert.Equal(JsonValueKind.Object, json.RootElement.ValueKind);
    }

    /// <summary>The log of a server that was used, which must not hold what was said, nor where.</summary>
    private static async Task<string> UseAndStopAsync(ServerUnderTest server)
    {
        string id = await UseAsync(server);
        ServerProcess.Outcome outcome = await server.Process!.StopAsync();
        string log = outcome.Output + outcome.Errors;
        Assert.DoesNotContain(id, log, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, log, StringComparison.Ordinal);
        return log;
    }

    /// <summary>A channel with messages, an error, a refusal, and fields that would like to be lines of their own.</summary>
    private static async Task<string> UseAsync(ServerUnderTest server)
    {
        await using ChannelClient first = await ChannelClient.OpenAsync(server, null, "User-Agent: \"}\u009b31m", "X-Forwarded-For: \"\u009b31m");
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await first.SendTextAsync(Secret);
        await second.ExpectMessagesAsync(Secret);
        await using ChannelClient third = await ChannelClient.JoinAsync(server, first.ChannelId);
        await ChannelClient.ExpectNoSeatAsync(server, first.ChannelId, "close-4409");
        await third.SendAsync(ClientFrame.Text(Secret), ClientFrame.Binary(Encoding.ASCII.GetBytes(Secret)));
        await third.ExpectCloseAsync("close-1003");
        await second.ExpectMessagesAsync(Secret);
        await second.LeaveAsync();
        return first.ChannelId;
    }
}
