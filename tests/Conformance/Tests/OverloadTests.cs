using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>
/// A server that holds more messages than it may. One shard, so that all clients share one limit, and no resume, so that no test leaves anything
/// for the next.
/// </summary>
public sealed class OverloadTests(Servers servers)
{
    private const string Scarce = "--shards=1 --max_buffered=16384 --max_exchanges=0 --resume_window=0";

    [Fact]
    public Task Who_would_have_it_hold_more_than_a_share_is_told_to_try_again_later() => WhenFullAsync(async server =>
    {
        await using ChannelClient client = await ChannelClient.OpenAsync(server);
        await client.SendTextAsync(new string('x', 3000));
        await client.ExpectCloseAsync("close-1013");
    });

    [Fact]
    public Task Version_2_is_told_the_same() => WhenFullAsync(async server =>
    {
        await using ChannelClient client = await Version2.OpenAsync(server);
        await client.SendTextAsync(new string('x', 3000));
        await client.ExpectEndFrameAsync("1013");
    });

    [Fact]
    public Task A_message_that_does_not_come_to_its_end_is_given_up() => WhenFullAsync(async server =>
    {
        await using Pair pair = await Pair.OpenAsync(server);
        await pair.First.SendAsync(ClientFrame.Text(new string('x', 60_000))[..50_000]);
        await pair.First.ExpectCloseAsync("close-1013");
        await pair.Second.ExpectNothingAsync();
    });

    [Fact]
    public Task Everybody_else_is_served() => WhenFullAsync(async server =>
    {
        await using Pair pair = await Pair.OpenAsync(server);
        for (int i = 0; i < 20; i++)
        {
            string text = new('x', 1500);
            await pair.First.SendTextAsync(text);
            await pair.Second.ExpectMessagesAsync(text);
        }
    });

    /// <summary>Fills a server with what nobody has come to hear. Each message arrives whole: none is under way when the limit is passed.</summary>
    private async Task WhenFullAsync(Func<ServerUnderTest, Task> test)
    {
        ServerUnderTest server = await servers.WithAsync(Scarce);
        ChannelClient holder = await ChannelClient.OpenAsync(server);
        for (int i = 0; i < 11; i++)
        {
            await holder.SendTextAsync(new string('x', 1500));
            await holder.ExpectNothingAsync();
        }
        await test(server);
        await holder.LeaveAsync();
    }
}
