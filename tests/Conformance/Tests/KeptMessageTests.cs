using System.Net;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>What is sent before anybody has come.</summary>
public sealed class KeptMessageTests(Servers servers)
{
    private const string NoLimit = "--max_exchanges=0";

    [Fact]
    public async Task The_first_who_joins_gets_it_in_order_behind_the_greeting_and_later_ones_do_not()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await first.SendTextAsync("one", " two ", "");
        await first.ExpectNothingAsync();
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await second.ExpectMessagesAsync("one", "two", "");
        await first.SendTextAsync("four");
        await second.ExpectMessagesAsync("four");
        await using ChannelClient third = await ChannelClient.JoinAsync(server, first.ChannelId);
        await third.ExpectNothingAsync();
    }

    [Fact]
    public async Task They_are_numbered_and_replayed_like_any_other()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await first.SendTextAsync("one", "two");
        await first.ExpectNothingAsync();
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        second.Connection.Reset();
        await using ChannelClient back = await ChannelClient.ResumeAsync(server, second);
        await back.ExpectNumberAsync(0);
        await back.ExpectNumberedAsync(1, "one");
        await back.ExpectNumberedAsync(2, "two");
    }

    [Fact]
    public async Task They_are_counted_when_they_are_sent()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        string[] ten = [.. Enumerable.Range(0, 10).Select(i => $"{i}")];
        await first.SendTextAsync(ten);
        await first.ExpectNothingAsync();
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await second.ExpectMessagesAsync(ten);
        await second.SendTextAsync("the eleventh");
        await second.ExpectCloseAsync("close-4429");
        await first.ExpectCloseAsync("close-4429");
    }

    [Fact]
    public async Task The_limit_holds_for_one_who_is_alone()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await first.SendTextAsync([.. Enumerable.Range(0, 11).Select(i => $"{i}")]);
        await first.ExpectCloseAsync("close-4429");
        await ChannelClient.ExpectNoSeatAsync(server, first.ChannelId, "close-4404");
    }

    [Fact]
    public async Task What_is_sent_after_everybody_has_left_reaches_nobody()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await pair.Second.LeaveAsync();
        await pair.First.SendTextAsync("to nobody");
        await pair.First.ExpectNothingAsync();
        await using ChannelClient third = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
        await third.ExpectNothingAsync();
        await Pair.ExpectRelayAsync(pair.First, third);
    }

    [Fact]
    public async Task They_wait_while_their_sender_is_away_and_describe_the_sender_as_it_is_when_somebody_comes()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using ChannelClient first = await ChannelClient.OpenAsync(server, Local(2));
        await first.SendTextAsync("one");
        first.Connection.Reset();
        await using ChannelClient back = await ChannelClient.ResumeAsync(server, first, null, Local(5));
        await back.SendTextAsync("two");
        await back.ExpectNothingAsync();
        back.Connection.Reset();

        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId, Local(3));
        Assert.Equal("{\"remote\":\"127.0.0.5\"}", await second.ReadSenderAsync());
        Assert.Equal("{\"remote\":\"127.0.0.5\"}", await second.ReadSenderAsync());
        await second.ExpectNothingAsync();
    }

    [Fact]
    public async Task Sixty_four_are_kept_and_one_more_ends_the_session()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        string[] most = [.. Enumerable.Range(0, 64).Select(i => $"{i}")];
        await first.SendTextAsync(most);
        await first.ExpectNothingAsync();
        await first.SendTextAsync("one too many");
        await first.ExpectCloseAsync("close-1008-rate");
        await ChannelClient.ExpectNoResumeAsync(server, first);
        await ChannelClient.ExpectNoSeatAsync(server, first.ChannelId, "close-4404");

        await using ChannelClient other = await ChannelClient.OpenAsync(server);
        await other.SendTextAsync(most);
        await other.ExpectNothingAsync();
        await using ChannelClient second = await ChannelClient.JoinAsync(server, other.ChannelId);
        await second.ExpectMessagesAsync(most);
    }

    [Fact]
    public async Task As_many_octets_are_kept_as_may_wait_for_a_slow_reader()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        string large = new('x', 65_536);
        for (int i = 0; i < 4; i++)
            await first.SendTextAsync(large);
        await first.ExpectNothingAsync();
        await first.SendTextAsync("one more");
        await first.ExpectCloseAsync("close-1008-rate");
        await ChannelClient.ExpectNoResumeAsync(server, first);
    }

    private static IPAddress Local(byte last) => new([127, 0, 0, last]);
}
