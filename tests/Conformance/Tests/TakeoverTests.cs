using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>A resume while the earlier socket is still there, as with a network that is gone without a word.</summary>
public sealed class TakeoverTests(Servers servers)
{
    private const string NoLimit = "--max_exchanges=0";

    [Fact]
    public async Task The_earlier_session_is_told_and_ended()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient later = await ChannelClient.ResumeAsync(server, pair.Second);
        await pair.Second.ExpectCloseAsync("close-4401");
        await Pair.ExpectRelayAsync(pair.First, later);
        await Pair.ExpectRelayAsync(later, pair.First);
    }

    [Fact]
    public async Task What_it_sends_afterwards_has_no_effect()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        byte[] unfinished = ClientFrame.Text("unfinished");
        await pair.Second.SendAsync(unfinished[..8]);
        await using ChannelClient later = await ChannelClient.ResumeAsync(server, pair.Second);
        Assert.Equal(0, later.Received);
        await pair.Second.SendAsync(unfinished[8..], ClientFrame.Text("ghost"), ClientFrame.Pong("7"u8), ClientFrame.Close(1000));
        await pair.Second.ExpectCloseAsync("close-4401");
        await later.ExpectNothingAsync();
        await later.SendTextAsync("real");
        await pair.First.ExpectMessagesAsync("real");
    }

    [Fact]
    public async Task What_arrived_whole_before_counts_and_comes_first()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using Pair pair = await Pair.OpenAsync(server);
        ChannelClient second = pair.Second;
        for (int round = 0; round < 100; round++)
        {
            // A whole frame, and the first half of one that never comes whole.
            await second.SendAsync(ClientFrame.Text($"before {round}"), ClientFrame.Text("never")[..9]);
            ChannelClient later = await ChannelClient.ResumeAsync(server, second);
            Assert.Equal((2 * round) + 1, later.Received);
            await later.SendTextAsync($"after {round}");
            await pair.First.ExpectMessagesAsync($"before {round}", $"after {round}");
            await second.DisposeAsync();
            second = later;
        }
        await second.DisposeAsync();
    }

    [Fact]
    public async Task An_acknowledgement_that_arrived_before_counts()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using Pair pair = await Pair.OpenAsync(server);
        ChannelClient second = pair.Second;
        for (int i = 1; i <= 100; i++)
        {
            await pair.First.SendTextAsync($"{i}");
            await second.ExpectNumberedAsync(i, $"{i}");
            await second.AcknowledgeAsync(i);
            ChannelClient later = await ChannelClient.ResumeAsync(server, second);
            await later.ExpectNumberAsync(i);
            await second.DisposeAsync();
            second = later;
        }
        await second.DisposeAsync();
    }

    [Fact]
    public async Task A_close_that_arrived_before_counts()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        for (int round = 0; round < 20; round++)
        {
            await using Pair pair = await Pair.OpenAsync(server);
            await pair.Second.SendAsync(ClientFrame.Close(1000));
            await ChannelClient.ExpectNoResumeAsync(server, pair.Second);
        }
    }

    [Fact]
    public async Task Nothing_is_lost_or_repeated_while_one_socket_takes_over_from_the_other()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using Pair pair = await Pair.OpenAsync(server);
        ChannelClient second = pair.Second;
        List<string> heard = [];
        // One reads what there is, says how much that was, and the next goes on from there. Fewer than are kept are under way.
        for (int round = 0; round < 40; round++)
        {
            await pair.First.SendTextAsync([.. Enumerable.Range(round * 10, 10).Select(i => $"{i}")]);
            for (int i = round % 7; i < 10; i++)
                heard.Add(await second.ReadMessageAsync());
            ChannelClient later = await ChannelClient.ResumeAsync(server, second, heard.Count);
            await second.DisposeAsync();
            second = later;
            while (heard.Count < (round * 10) + 10)
                heard.Add(await second.ReadMessageAsync());
        }
        Assert.Equal(Enumerable.Range(0, 400).Select(i => $"{i}"), heard);
        await second.DisposeAsync();
    }
}

/// <summary>What arrived whole counts, whatever came right behind it.</summary>
public sealed class LastWordsTests(Servers servers)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_with_a_reset_right_behind_it_arrives_exactly_once(bool isTorn)
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=0");
        await using Pair pair = await Pair.OpenAsync(server);
        ChannelClient second = pair.Second;
        for (int round = 0; round < 300; round++)
        {
            byte[] torn = isTorn ? ClientFrame.Text("never whole")[..10] : [];
            await second.SendAsync(ClientFrame.Text($"{round}"), torn);
            second.Connection.Reset();
            await pair.First.ExpectMessagesAsync($"{round}");
            ChannelClient back = await ChannelClient.ResumeAsync(server, second);
            Assert.Equal(round + 1, back.Received);
            second = back;
        }
        await pair.First.ExpectNothingAsync();
        await second.DisposeAsync();
    }

    [Fact]
    public async Task Many_messages_with_a_reset_right_behind_them_arrive_too()
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=0");
        for (int round = 0; round < 100; round++)
        {
            await using Pair pair = await Pair.OpenAsync(server);
            string[] texts = [.. Enumerable.Range(0, 20).Select(i => $"{round}.{i}")];
            await pair.Second.SendTextAsync(texts);
            pair.Second.Connection.Reset();
            await pair.First.ExpectMessagesAsync(texts);
        }
    }

    [Fact]
    public async Task Messages_with_the_upgrade_and_a_reset_right_behind_them_arrive_too()
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=0");
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        second.Connection.Reset();
        for (int round = 0; round < 50; round++)
        {
            await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
            await connection.SendAsync(
                new UpgradeRequest(ChannelClient.ResumeTarget(second.ChannelId, second.Token)).ToBytes(), ClientFrame.Text($"{round}"));
            // Its greeting never arrives, so the token stays what it was.
            await first.ExpectMessagesAsync($"{round}");
            connection.Reset();
        }
    }
}
