using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>
/// An upgrade behind another request of its connection, as load balancers send them that reuse connections. Its session ends as any other does: what
/// belongs before the end of the stream comes before it.
/// </summary>
public sealed class LateUpgradeTests(Servers servers)
{
    private const string SomeToken = "0123456789abcdef0123456789abcdef";

    [Theory]
    [InlineData("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA", "4404")]
    [InlineData("/v1/ws/nonsense", "4404")]
    [InlineData("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA?resume=" + SomeToken, "4401")]
    public async Task A_refusal_is_told(string target, string end)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        // More than once: it is a race between two who write to one socket, if it is one at all.
        for (int round = 0; round < 10; round++)
        {
            await using ChannelClient client = await ChannelClient.UpgradeAsync(await UsedAsync(server), target);
            await client.ExpectCloseAsync($"close-{end}");
            await using ChannelClient two = await ChannelClient.UpgradeAsync(await UsedAsync(server), target, [ChannelClient.VersionTwo]);
            await two.ExpectEndFrameAsync(end);
        }
    }

    [Fact]
    public async Task What_was_accepted_before_a_limit_comes_before_the_close()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        string[] texts = [.. Enumerable.Range(0, 10).Select(i => $"{i} {new string('x', 6000)}")];
        for (int round = 0; round < 10; round++)
        {
            await using ChannelClient first = await ChannelClient.OpenAsync(server);
            await using ChannelClient second = await ChannelClient.UpgradeAsync(await UsedAsync(server), $"/v1/ws/{first.ChannelId}");
            await second.ReadGreetingAsync();
            await first.SendTextAsync([.. texts, "one too many"]);
            await second.ExpectMessagesAsync(texts);
            await second.ExpectCloseAsync("close-4429");
            await first.ExpectCloseAsync("close-4429");
        }
    }

    [Fact]
    public async Task It_may_take_a_seat_back_and_be_taken_over()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        string target = ChannelClient.ResumeTarget(pair.Second.ChannelId, pair.Second.Token, 0);
        await using ChannelClient back = await ChannelClient.UpgradeAsync(await UsedAsync(server), target);
        await back.ReadGreetingAsync();
        await pair.Second.ExpectCloseAsync("close-4401");
        await Pair.ExpectRelayAsync(pair.First, back);
        await Pair.ExpectRelayAsync(back, pair.First);
        await back.ExpectNothingAsync();
        target = ChannelClient.ResumeTarget(back.ChannelId, back.Token, 1);
        await using ChannelClient again = await ChannelClient.UpgradeAsync(await UsedAsync(server), target);
        await again.ReadGreetingAsync();
        await back.ExpectCloseAsync("close-4401");
        await Pair.ExpectRelayAsync(pair.First, again);
    }

    private static async Task<RawConnection> UsedAsync(ServerUnderTest server)
    {
        RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n\r\n");
        Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
        return connection;
    }
}
