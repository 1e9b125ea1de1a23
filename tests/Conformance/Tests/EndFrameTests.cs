using System.Globalization;
using System.Text.RegularExpressions;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary><c>end</c> and <c>expiring</c>: what version 2 is told before it ends.</summary>
public sealed partial class EndFrameTests(Servers servers)
{
    private const string SomeToken = "0123456789abcdef0123456789abcdef";

    public static TheoryData<string, byte[]> Violations => new()
    {
        { "1002", ClientFrame.Unmasked(Frame.Text, "x"u8) },
        { "1003", ClientFrame.Binary("x"u8) },
        { "1007", ClientFrame.Text([0xC0, 0x80]) },
        { "1008-fragments", [.. Enumerable.Range(0, 65).SelectMany(i => ClientFrame.Of(i == 0 ? ClientFrame.TextOpcode : ClientFrame.Continuation, "x"u8))] },
        { "1009", ClientFrame.Text(new string('x', 65537)) },
    };

    [Theory]
    [MemberData(nameof(Violations))]
    public async Task A_violation_is_told_before_the_close(string end, byte[] violation)
    {
        await using ChannelClient client = await Version2.OpenAsync(await servers.DefaultAsync());
        await client.SendAsync(violation);
        await client.ExpectEndFrameAsync(end);
    }

    [Fact]
    public async Task Too_many_control_frames_are_told()
    {
        await using ChannelClient client = await Version2.OpenAsync(await servers.DefaultAsync());
        Task sending = client.SendAsync([.. Enumerable.Repeat(ClientFrame.Pong(new byte[125]), 2500)]);
        await client.ExpectEndFrameAsync("1008-rate");
        await sending;
    }

    [Theory]
    [InlineData("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA", "4404")]
    [InlineData("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA?resume=" + SomeToken, "4401")]
    [InlineData("/v1/ws/?resume=" + SomeToken, "4401")]
    public async Task A_refusal_is_told(string target, string end)
    {
        await using ChannelClient client = await Version2.UpgradeAsync(await servers.DefaultAsync(), target);
        await client.ExpectEndFrameAsync(end);
    }

    [Fact]
    public async Task A_full_channel_is_told()
    {
        ServerUnderTest server = await servers.WithAsync("--max_channel_connections=2");
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient third = await Version2.UpgradeAsync(server, $"/v1/ws/{pair.First.ChannelId}");
        await third.ExpectEndFrameAsync("4409");
    }

    [Fact]
    public async Task A_takeover_is_told()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient client = await Version2.OpenAsync(server);
        await using ChannelClient later = await ChannelClient.ResumeAsync(server, client, null, null, ChannelClient.VersionTwo);
        await client.ExpectEndFrameAsync("4401");
    }

    [Fact]
    public async Task The_data_limit_is_told_to_all()
    {
        ServerUnderTest server = await servers.WithAsync("--max_data=3");
        await using ChannelClient first = await Version2.OpenAsync(server);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        await first.ExpectPeerAsync("2", "joined");
        await second.SendTextAsync("four");
        await first.ExpectEndFrameAsync("4413");
        await second.ExpectEndFrameAsync("4413");
    }

    [Fact]
    public async Task A_client_timeout_is_told()
    {
        ServerUnderTest server = await servers.WithAsync("--heartbeat=1 --client_timeout=8");
        await using ChannelClient client = await Version2.OpenAsync(server);
        Frame frame;
        do
            frame = await client.Connection.ReadFrameAsync();
        while (frame.FirstOctet == Frame.Ping);
        Golden.AssertFrame("v2-end-4408", frame);
        await client.ExpectCloseAsync("close-4408");
    }

    [Fact]
    public async Task A_shutdown_is_told()
    {
        ServerUnderTest server = await ServerProcess.StartAsync();
        await using ServerProcess process = server.Process!;
        await using ChannelClient client = await Version2.OpenAsync(server);
        process.Signal(ServerProcess.Sigterm);
        await client.ExpectEndFrameAsync("1001");
        await process.EndedAsync();
    }

    [Fact]
    public async Task The_answer_to_a_close_is_a_close_alone()
    {
        await using ChannelClient client = await Version2.OpenAsync(await servers.DefaultAsync());
        await client.LeaveVersion2Async();
    }

    [Fact]
    public async Task A_short_lifespan_ends_without_a_notice()
    {
        await using ChannelClient client = await Version2.OpenAsync(await servers.WithAsync("--conn_lifespan=6"));
        await client.ExpectEndFrameAsync("4410");
    }

    /// <summary>The table of ends in docs/protocol.md tells what the golden ends say.</summary>
    [Fact]
    public void The_golden_ends_say_what_the_table_and_the_close_frames_say()
    {
        string document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "protocol.md"));
        Match[] rows = Row().Matches(document).ToArray();
        Assert.Equal(Golden.Names.Count(name => name.StartsWith("v2-end-", StringComparison.Ordinal)), rows.Length);
        foreach (Match row in rows)
        {
            string code = row.Groups["code"].Value;
            string text = row.Groups["text"].Value;
            string name = code == "1008" ? $"1008-{text.Replace(' ', '-')}" : code;
            string retry = row.Groups["retry"].Value == "yes" ? "true" : "false";
            Assert.EndsWith($"{{\"type\":\"end\",\"code\":{code},\"reason\":\"{text}\",\"retry\":{retry}}}\n", Golden.Source($"v2-end-{name}"), StringComparison.Ordinal);
            Assert.EndsWith($"{code}\n> {text}\n", Golden.Source($"close-{name}"), StringComparison.Ordinal);
        }
    }

    [GeneratedRegex(@"^\| (?<code>[1-4][0-9]{3}) \| `(?<text>[^`]+)` \|.*\| (?<retry>yes|no) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}

/// <summary>In a class of its own, so that it waits beside the others: a lifespan with a notice is longer than half a minute.</summary>
public sealed partial class ExpiringTests(Servers servers)
{
    /// <summary>What the notice says, and something over.</summary>
    private static readonly TimeSpan _notice = TimeSpan.FromSeconds(45);

    [Fact]
    public async Task Half_a_minute_before_the_end_those_of_version_2_are_told()
    {
        ServerUnderTest server = await servers.WithAsync("--conn_lifespan=36");
        await using ChannelClient first = await Version2.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await first.ExpectPeerAsync("2", "joined");
        Assert.InRange(await ReadExpiringAsync(first), 28, 30);
        // The other hears nothing of it, and one who comes later reads it in the greeting.
        await second.ExpectNothingAsync();
        await using ChannelClient third = await Version2.JoinAsync(server, first.ChannelId);
        Assert.Matches("\"expires_in\":(30|2[0-9]),", third.Greeting.PayloadText);
        await third.ExpectNothingAsync();
        await first.ExpectPeerAsync("3", "joined");
        await Task.WhenAll(EndedAsync(first), EndedAsync(third), EndedVersion1Async(second));

        static async Task EndedAsync(ChannelClient client)
        {
            Golden.AssertFrame("v2-end-4410", await client.ReadFrameAsync(_notice));
            await client.ExpectCloseAsync("close-4410");
        }

        static async Task EndedVersion1Async(ChannelClient client)
        {
            await client.ExpectCloseAsync("close-4410", _notice);
        }
    }

    /// <summary>The seconds of the notice, which is otherwise as the golden frame says. A turn that is late tells of less.</summary>
    private static async Task<int> ReadExpiringAsync(ChannelClient client)
    {
        Frame frame = await client.ReadFrameAsync();
        Match told = Seconds().Match(frame.PayloadText);
        Assert.True(told.Success, $"Expected a notice, got: {frame}");
        byte[] onTime = Encoding.UTF8.GetBytes(frame.PayloadText.Replace(told.Value, "\"expires_in\":30", StringComparison.Ordinal));
        Golden.AssertFrame("v2-expiring", frame with { Raw = [.. frame.Raw.AsSpan(..^frame.Payload.Length), .. onTime] });
        return int.Parse(told.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex("\"expires_in\":([0-9]{2})\\b")]
    private static partial Regex Seconds();
}
