using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Control frames have a budget: 128 KiB at once, 16 KiB a second.</summary>
public sealed class FloodTests(Servers servers)
{
    private static readonly byte[] _ping = ClientFrame.Ping(new byte[125]);

    [Fact]
    public async Task Pings_within_the_burst_are_all_answered()
    {
        await using ChannelClient client = await ChannelClient.OpenAsync(await servers.DefaultAsync());
        Task sending = client.SendAsync([.. Enumerable.Repeat(_ping, 900)]);
        for (int i = 0; i < 900; i++)
            Assert.Equal(Frame.Pong, (await client.ReadFrameAsync()).FirstOctet);
        await sending;
    }

    [Theory]
    [InlineData(Frame.Ping)]
    [InlineData(Frame.Pong)]
    public async Task A_flood_ends_its_session_and_no_other(byte firstOctet)
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        byte[] frame = ClientFrame.Of(firstOctet, new byte[125]);
        Task sending = pair.Second.SendAsync([.. Enumerable.Repeat(frame, 2500)]);
        Frame answer;
        do
            answer = await pair.Second.ReadFrameAsync();
        while (answer.FirstOctet == Frame.Pong);
        Golden.AssertFrame("close-1008-rate", answer);
        await pair.Second.Connection.ExpectEndAsync();
        await sending;
        await pair.First.ExpectNothingAsync();
    }

    [Fact]
    public async Task Empty_pings_count_by_their_heads()
    {
        await using ChannelClient client = await ChannelClient.OpenAsync(await servers.DefaultAsync());
        Task sending = client.SendAsync([.. Enumerable.Repeat(ClientFrame.Ping([]), 60_000)]);
        Frame answer;
        do
            answer = await client.ReadFrameAsync();
        while (answer.FirstOctet == Frame.Pong);
        Golden.AssertFrame("close-1008-rate", answer);
        await sending;
    }
}

/// <summary>One who does not read costs itself its seat, and the others nothing.</summary>
public sealed class SlowReaderTests(Servers servers)
{
    [Fact]
    public async Task A_slow_reader_is_ended_and_the_others_get_everything()
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=0");
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient slow = await ChannelClient.UpgradeAsync(
            server, $"/v1/ws/{pair.First.ChannelId}", receiveBuffer: 4096);
        await slow.ReadGreetingAsync();

        // Far more than the queue and the kernel's buffers hold.
        for (int i = 0; i < 200; i++)
        {
            string text = $"{i} {new string('x', 60_000)}";
            await pair.First.SendTextAsync(text);
            await pair.Second.ExpectMessagesAsync(text);
        }

        // The seat of the slow one is free again: a newcomer gets it, at once or after the write timeout.
        TimeSpan waited = TimeSpan.Zero;
        while (true)
        {
            await using ChannelClient newcomer = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{pair.First.ChannelId}");
            Frame frame = await newcomer.ReadFrameAsync();
            if (frame.FirstOctet == Frame.Text)
            {
                await Pair.ExpectRelayAsync(pair.First, pair.Second, newcomer);
                break;
            }
            Assert.True(waited < TimeSpan.FromSeconds(10), "The slow reader keeps its seat.");
            waited += TimeSpan.FromMilliseconds(200);
            await Task.Delay(200, TestContext.Current.CancellationToken);
        }
    }
}
