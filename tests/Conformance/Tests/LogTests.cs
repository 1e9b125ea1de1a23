using System.Text.Json;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>The log tells what happened, and nothing that was said.</summary>
public sealed class LogTests
{
    private const string Secret = "c2VjcmV0LW1lc3NhZ2U";

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
