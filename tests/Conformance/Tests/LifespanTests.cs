using System.Diagnostics;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary><c>conn_lifespan</c>: from the opening of the channel, whatever happens in it.</summary>
public sealed class LifespanTests(Servers servers)
{
    [Fact]
    public async Task A_channel_ends_for_all_when_its_time_is_over_however_busy_it_is()
    {
        ServerUnderTest server = await servers.WithAsync("--conn_lifespan=6 --max_exchanges=0");
        Stopwatch lived = Stopwatch.StartNew();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        while (lived.Elapsed < TimeSpan.FromSeconds(3))
        {
            await first.SendTextAsync("busy");
            await second.ExpectMessagesAsync("busy");
        }
        // One who joins late has no time of its own.
        await using ChannelClient third = await ChannelClient.JoinAsync(server, first.ChannelId);
        await Task.WhenAll(
            first.ExpectCloseAsync("close-4410"), second.ExpectCloseAsync("close-4410"), third.ExpectCloseAsync("close-4410"));
        Assert.InRange(lived.Elapsed.TotalSeconds, 5.9, 14);

        await ChannelClient.ExpectNoSeatAsync(server, first.ChannelId, "close-4404");
    }

    [Fact]
    public async Task Each_channel_has_its_own_time()
    {
        ServerUnderTest server = await servers.WithAsync("--conn_lifespan=6 --max_exchanges=0");
        await using ChannelClient old = await ChannelClient.OpenAsync(server);
        Stopwatch lived = Stopwatch.StartNew();
        while (lived.Elapsed < TimeSpan.FromSeconds(3))
        {
            await old.ExpectNothingAsync();
            // Not so many pings that the server takes them for a flood.
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
        Stopwatch younger = Stopwatch.StartNew();
        await using ChannelClient young = await ChannelClient.OpenAsync(server);
        await old.ExpectCloseAsync("close-4410");
        await young.ExpectCloseAsync("close-4410");
        Assert.True(younger.Elapsed.TotalSeconds > 5.9, $"The younger channel lived {younger.Elapsed}.");
    }
}
