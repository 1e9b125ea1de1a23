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
        string id = await UseAsync(server);
        ServerProcess.Outcome outcome = await process.StopAsync();

        string log = outcome.Output + outcome.Errors;
        Assert.DoesNotContain(id, log, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, log, StringComparison.Ordinal);
        Assert.All(log.Split('\n', StringSplitOptions.RemoveEmptyEntries), AssertJsonObject);
    }

    [Fact]
    public async Task Readable_logs_hold_no_control_characters_of_a_client()
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--human_logs=true", "--debug=true", "--verbose=true");
        await using ServerProcess process = server.Process!;
        string id = await UseAsync(server);
        ServerProcess.Outcome outcome = await process.StopAsync();

        string log = outcome.Output + outcome.Errors;
        Assert.DoesNotContain(id, log, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, log, StringComparison.Ordinal);
        Assert.DoesNotContain("\u009b", log, StringComparison.Ordinal);
        Assert.NotEmpty(log);
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
            await using ChannelClient refused = await ChannelClient.UpgradeAsync(await ConnectAsync(), target);
            await refused.ExpectCloseAsync("close-4401");
        }
        await firstBack.SendAsync(ClientFrame.Text(Secret), ClientFrame.Binary(Encoding.ASCII.GetBytes(Secret)));
        await firstBack.ExpectCloseAsync("close-1003");
        foreach (string refused in (string[])["POST", "BREW /"])
        {
            // Refused before it comes to an upgrade.
            await using RawConnection connection = await ConnectAsync();
            await connection.SendAsync(new UpgradeRequest(ChannelClient.ResumeTarget(first.ChannelId, secondBack.Token)) { Method = refused }.ToBytes());
            Assert.InRange((await connection.ReadResponseAsync()).Status, 400, 499);
        }

        async Task<RawConnection> ConnectAsync()
        {
            RawConnection connection = await RawConnection.ConnectAsync(server.Address);
            if (late)
            {
                await connection.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n\r\n");
                Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
            }
            return connection;
        }

        async Task<ChannelClient> EnterAsync(string target, params string[] headers)
        {
            ChannelClient client = await ChannelClient.UpgradeAsync(await ConnectAsync(), target, headers);
            await client.ReadGreetingAsync();
            secrets.Add(client.ChannelId);
            secrets.Add(client.Token);
            return client;
        }
    }

    private static void AssertJsonObject(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        Assert.Equal(JsonValueKind.Object, json.RootElement.ValueKind);
    }

    /// <summary>A channel with messages, an error, a refusal, and fields that would like to be lines of their own.</summary>
    private static async Task<string> UseAsync(ServerUnderTest server)
    {
        await using ChannelClient first = await ChannelClient.OpenAsync(server, null, "User-Agent: \"}\u009b31m", "X-Forwarded-For: \"\u009b31m");
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await first.SendTextAsync(Secret);
        await second.ExpectMessagesAsync(Secret);
        await using ChannelClient third = await ChannelClient.JoinAsync(server, first.ChannelId);
        await using ChannelClient fourth = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{first.ChannelId}");
        await fourth.ExpectCloseAsync("close-4409");
        await third.SendAsync(ClientFrame.Text(Secret), ClientFrame.Binary(Encoding.ASCII.GetBytes(Secret)));
        await third.ExpectCloseAsync("close-1003");
        await second.ExpectMessagesAsync(Secret);
        await second.LeaveAsync();
        return first.ChannelId;
    }
}
