using System.Globalization;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Numbers, pings that carry them, pongs that acknowledge; and what a resume replays after that.</summary>
public sealed class AcknowledgementTests(Servers servers)
{
    private const string NoLimit = "--max_exchanges=0";

    [Fact]
    public async Task Behind_an_envelope_comes_a_ping_with_its_number()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        for (int i = 1; i <= 3; i++)
        {
            await pair.First.SendTextAsync($"{i}");
            Assert.Equal(Frame.Text, (await pair.Second.ReadPastHeartbeatsAsync()).FirstOctet);
            Frame ping = await pair.Second.ReadPastHeartbeatsAsync();
            Assert.Equal($"{i}", ping.PayloadText);
            if (i == 3)
                Golden.AssertFrame("ping-number", ping);
            await pair.Second.SendAsync(ClientFrame.Pong(ping.Payload));
        }
        Assert.Equal(Golden.Octets("client-pong-number"), ClientFrame.Pong("3"u8));
    }

    [Fact]
    public async Task A_burst_needs_few_pings_and_the_last_has_the_last_number()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.WithAsync(NoLimit));
        await pair.First.SendTextAsync([.. Enumerable.Range(1, 50).Select(i => $"{i}")]);
        int envelopes = 0;
        int pings = 0;
        for (int last = 0; last < 50;)
        {
            Frame frame = await pair.Second.ReadPastHeartbeatsAsync();
            if (frame.FirstOctet == Frame.Text)
            {
                envelopes++;
                continue;
            }
            Assert.Equal(Frame.Ping, frame.FirstOctet);
            last = int.Parse(frame.PayloadText, CultureInfo.InvariantCulture);
            Assert.Equal(envelopes, last);
            pings++;
        }
        Assert.True(pings <= 10, $"{pings} pings for fifty envelopes that were sent at once.");
    }

    [Theory]
    [InlineData("1", 0)]
    [InlineData("2", 1)]
    [InlineData("10", 1)]
    [InlineData("4294967296", 1)]
    [InlineData("9999999999", 1)]
    public async Task A_pong_beyond_what_was_pinged_is_a_protocol_error(string payload, int envelopes)
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await pair.First.SendTextAsync([.. Enumerable.Range(1, envelopes).Select(i => $"{i}")]);
        for (int i = 1; i <= envelopes; i++)
            await pair.Second.ExpectNumberedAsync(i, $"{i}");
        await pair.Second.SendAsync(ClientFrame.Pong(Encoding.ASCII.GetBytes(payload)));
        await pair.Second.ExpectCloseAsync("close-1002");
    }

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("1")]
    [InlineData("01")]
    [InlineData("00")]
    [InlineData("-5")]
    [InlineData("+5")]
    [InlineData(" 5")]
    [InlineData("5 ")]
    [InlineData("5x")]
    [InlineData("\u0665")]
    [InlineData("99999999999")]
    [InlineData("5.0")]
    public async Task Any_other_pong_is_harmless(string payload)
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await pair.First.SendTextAsync("1");
        await pair.Second.ExpectNumberedAsync(1, "1");
        await pair.Second.SendAsync(ClientFrame.Pong(Encoding.UTF8.GetBytes(payload)), ClientFrame.Pong(Encoding.UTF8.GetBytes(payload)));
        await pair.Second.ExpectNothingAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_resume_replays_what_was_not_acknowledged_in_order_each_with_its_ping(int acknowledged)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await SendThreeAsync(pair);
        await pair.Second.AcknowledgeAsync(acknowledged);
        await pair.Second.ExpectNothingAsync();
        pair.Second.Connection.Reset();

        await using ChannelClient back = await ChannelClient.ResumeAsync(server, pair.Second);
        await back.ExpectNumberAsync(acknowledged);
        for (int i = acknowledged + 1; i <= 3; i++)
            await back.ExpectNumberedAsync(i, $"{i}");
        await back.ExpectNothingAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task What_the_client_says_it_received_is_exact(int received)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await SendThreeAsync(pair);
        pair.Second.Connection.Reset();

        await using ChannelClient back = await ChannelClient.ResumeAsync(server, pair.Second, received);
        await back.ExpectNumberAsync(received);
        for (int i = received + 1; i <= 3; i++)
            await back.ExpectNumberedAsync(i, $"{i}");
        await back.ExpectNothingAsync();
    }

    [Fact]
    public async Task What_was_acknowledged_is_gone()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await SendThreeAsync(pair);
        await pair.Second.AcknowledgeAsync(2);
        await pair.Second.ExpectNothingAsync();
        await ChannelClient.ExpectNoResumeAsync(server, pair.Second, 1);
        await using ChannelClient back = await ChannelClient.ResumeAsync(server, pair.Second, 3);
        await back.ExpectNumberAsync(3);
        await ChannelClient.ExpectNoResumeAsync(server, back, 2);
    }

    [Fact]
    public async Task An_acknowledgement_with_a_reset_right_behind_it_counts()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using Pair pair = await Pair.OpenAsync(server);
        ChannelClient second = pair.Second;
        for (int i = 1; i <= 200; i++)
        {
            await pair.First.SendTextAsync($"{i}");
            await second.ExpectNumberedAsync(i, $"{i}");
            await second.AcknowledgeAsync(i);
            second.Connection.Reset();
            second = await ChannelClient.ResumeAsync(server, second);
            await second.ExpectNumberAsync(i);
        }
        await second.DisposeAsync();
    }

    [Fact]
    public async Task A_replay_is_not_counted_again()
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=3 --max_data=3");
        await using Pair pair = await Pair.OpenAsync(server);
        await SendThreeAsync(pair);
        ChannelClient second = pair.Second;
        for (int round = 0; round < 3; round++)
        {
            second.Connection.Reset();
            second = await ChannelClient.ResumeAsync(server, second);
            await second.ExpectNumberAsync(0);
            for (int i = 1; i <= 3; i++)
                await second.ExpectNumberedAsync(i, $"{i}");
        }
        await pair.First.ExpectNothingAsync();
        await pair.First.SendTextAsync("4");
        await second.ExpectCloseAsync("close-4429");
        await second.DisposeAsync();
    }

    [Fact]
    public async Task A_client_that_never_acknowledges_keeps_its_session_and_can_resume_from_what_it_has()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using Pair pair = await Pair.OpenAsync(server);
        for (int i = 1; i <= 100; i++)
        {
            await pair.First.SendTextAsync($"{i}");
            await pair.Second.ExpectNumberedAsync(i, $"{i}");
        }
        pair.Second.Connection.Reset();
        // The first of them is no longer kept, so nobody may start there.
        await ChannelClient.ExpectNoResumeAsync(server, pair.Second);
        await ChannelClient.ExpectNoResumeAsync(server, pair.Second, 1);
        await using ChannelClient back = await ChannelClient.ResumeAsync(server, pair.Second, 98);
        await back.ExpectNumberAsync(98);
        await back.ExpectNumberedAsync(99, "99");
        await back.ExpectNumberedAsync(100, "100");
    }

    [Fact]
    public async Task A_held_seat_for_which_too_much_waits_is_given_up()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.WithAsync(NoLimit));
        await watched.LoseAsync();
        for (int i = 0; i < 64; i++)
            await watched.Watcher.SendTextAsync($"{i}");
        await watched.Watcher.ExpectAckAsync(64);
        await watched.Watcher.SendTextAsync("one too many");
        await watched.Watcher.ExpectPeerAsync("2", "left");
        await ChannelClient.ExpectNoResumeAsync(watched.Server, watched.Client);
    }

    [Fact]
    public async Task All_that_may_wait_for_a_held_seat_arrives()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.WithAsync(NoLimit));
        await watched.LoseAsync();
        string[] texts = [.. Enumerable.Range(0, 64).Select(i => $"{i}")];
        await watched.Watcher.SendTextAsync(texts);
        await watched.Watcher.ExpectAckAsync(64);
        await using ChannelClient back = await watched.ResumeAsync();
        await back.ExpectMessagesAsync(texts);
        await back.ExpectNothingAsync();
    }

    private static async Task SendThreeAsync(Pair pair)
    {
        for (int i = 1; i <= 3; i++)
        {
            await pair.First.SendTextAsync($"{i}");
            await pair.Second.ExpectNumberedAsync(i, $"{i}");
        }
    }
}
