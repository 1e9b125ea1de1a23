using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary><c>max_exchanges</c> and <c>max_data</c>: exact, for the whole channel, and the same for every receiver.</summary>
public sealed class ExchangeLimitTests(Servers servers)
{
    [Fact]
    public async Task Ten_messages_pass_and_the_eleventh_closes_all()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient third = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
        for (int i = 0; i < 5; i++)
        {
            await pair.First.SendTextAsync($"up {i}");
            await pair.Second.ExpectMessagesAsync($"up {i}");
            await pair.Second.SendTextAsync($"down {i}");
            await pair.First.ExpectMessagesAsync($"down {i}");
            await third.ExpectMessagesAsync($"up {i}", $"down {i}");
        }
        await pair.First.ExpectNothingAsync();
        await third.SendTextAsync("the eleventh");
        await pair.First.ExpectCloseAsync("close-4429");
        await pair.Second.ExpectCloseAsync("close-4429");
        await third.ExpectCloseAsync("close-4429");

        await ChannelClient.ExpectNoSeatAsync(server, pair.First.ChannelId, "close-4404");
    }

    [Fact]
    public async Task What_was_accepted_is_delivered_before_the_close()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        string[] eleven = [.. Enumerable.Range(0, 11).Select(i => $"{i}")];
        await pair.First.SendTextAsync(eleven);
        await pair.Second.ExpectMessagesAsync(eleven[..10]);
        await pair.Second.ExpectCloseAsync("close-4429");
        await pair.First.ExpectCloseAsync("close-4429");
    }

    [Fact]
    public async Task The_number_can_be_set()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.WithAsync("--max_exchanges=3"));
        await pair.First.SendTextAsync("1", "2", "3", "4");
        await pair.Second.ExpectMessagesAsync("1", "2", "3");
        await pair.Second.ExpectCloseAsync("close-4429");
        await pair.First.ExpectCloseAsync("close-4429");
    }

    [Fact]
    public async Task Racing_senders_never_get_one_more_through_and_all_see_the_same_prefix()
    {
        ServerUnderTest server = await servers.WithAsync("--max_channel_connections=4");
        for (int round = 0; round < 60; round++)
        {
            await using Pair pair = await Pair.OpenAsync(server);
            await using ChannelClient third = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
            await using ChannelClient fourth = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
            string[] a = [.. Enumerable.Range(0, 9).Select(i => $"a{i}")];
            string[] b = [.. Enumerable.Range(0, 9).Select(i => $"b{i}")];
            Task sending = Task.WhenAll(pair.First.SendTextAsync(a), pair.Second.SendTextAsync(b));
            List<string>[] seen = await Task.WhenAll(
                new[] { pair.First, pair.Second, third, fourth }.Select(ReadToCloseAsync));
            await sending;

            List<string> all = seen[2];
            Assert.Equal(10, all.Count);
            Assert.Equal(all, seen[3]);
            Assert.Equal(all.Where(text => text[0] == 'b'), seen[0]);
            Assert.Equal(all.Where(text => text[0] == 'a'), seen[1]);
            Assert.Equal(a[..seen[1].Count], seen[1]);
            Assert.Equal(b[..seen[0].Count], seen[0]);
        }
    }

    [Fact]
    public async Task Exactly_max_data_octets_pass_and_one_more_closes_all()
    {
        ServerUnderTest server = await servers.WithAsync("--max_data=100 --max_exchanges=0");
        await using Pair pair = await Pair.OpenAsync(server);
        string sixty = new('x', 60);
        string forty = new('\u00e4', 20);
        await pair.First.SendTextAsync(sixty);
        await pair.Second.ExpectMessagesAsync(sixty);
        await pair.Second.SendTextAsync(forty);
        await pair.First.ExpectMessagesAsync(forty);
        await pair.First.SendTextAsync("");
        await pair.Second.ExpectMessagesAsync("");
        await pair.First.SendTextAsync("x");
        await pair.First.ExpectCloseAsync("close-4413");
        await pair.Second.ExpectCloseAsync("close-4413");
    }

    [Fact]
    public async Task One_message_over_max_data_is_not_delivered()
    {
        ServerUnderTest server = await servers.WithAsync("--max_data=100 --max_exchanges=0");
        await using Pair pair = await Pair.OpenAsync(server);
        await pair.First.SendTextAsync(new string('x', 101));
        await pair.Second.ExpectCloseAsync("close-4413");
        await pair.First.ExpectCloseAsync("close-4413");
    }

    private static async Task<List<string>> ReadToCloseAsync(ChannelClient client)
    {
        List<string> messages = [];
        while (true)
        {
            Frame frame = await client.ReadFrameAsync();
            if (frame.FirstOctet != Frame.Text)
            {
                Golden.AssertFrame("close-4429", frame);
                return messages;
            }
            messages.Add(frame.PayloadText.Split('"')[3]);
        }
    }
}
