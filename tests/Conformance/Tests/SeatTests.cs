using System.Net;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Who may take a seat: <c>max_channel_connections</c>, and the rule of known addresses.</summary>
public sealed class SeatTests(Servers servers)
{
    private const string Roomy = "--max_channel_connections=6 --max_exchanges=0";

    [Fact]
    public async Task The_fourth_participant_finds_the_channel_full()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient third = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
        await ChannelClient.ExpectNoSeatAsync(server, pair.First.ChannelId, "close-4409");
        await Pair.ExpectRelayAsync(pair.First, pair.Second, third);
    }

    [Fact]
    public async Task A_seat_given_up_can_be_taken()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient third = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
        await pair.Second.LeaveAsync();
        await using ChannelClient fourth = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
        await Pair.ExpectRelayAsync(fourth, pair.First, third);
    }

    [Fact]
    public async Task The_number_of_seats_can_be_set()
    {
        ServerUnderTest server = await servers.WithAsync("--max_channel_connections=2");
        await using Pair pair = await Pair.OpenAsync(server);
        await ChannelClient.ExpectNoSeatAsync(server, pair.First.ChannelId, "close-4409");
    }

    [Fact]
    public async Task Of_many_who_join_at_once_exactly_as_many_as_there_are_seats_get_in()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        for (int round = 0; round < 10; round++)
        {
            await using ChannelClient first = await ChannelClient.OpenAsync(server);
            ChannelClient[] joiners = await Task.WhenAll(
                Enumerable.Range(0, 8).Select(_ => ChannelClient.UpgradeAsync(server, $"/v1/ws/{first.ChannelId}")));
            int seated = 0;
            foreach (ChannelClient joiner in joiners)
            {
                Frame frame = await joiner.ReadFrameAsync();
                if (frame.FirstOctet == Frame.Text)
                    seated++;
                else
                    Golden.AssertFrame("close-4409", frame);
            }
            Assert.Equal(2, seated);
            foreach (ChannelClient joiner in joiners)
                await joiner.DisposeAsync();
        }
    }

    [Fact]
    public async Task From_the_third_join_on_only_known_addresses_get_in()
    {
        ServerUnderTest server = await servers.WithAsync(Roomy);
        await using ChannelClient first = await ChannelClient.OpenAsync(server, Local(2));
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId, Local(3));
        await ChannelClient.ExpectNoSeatAsync(server, first.ChannelId, "close-4404", Local(4));

        await using ChannelClient third = await ChannelClient.JoinAsync(server, first.ChannelId, Local(2));
        await using ChannelClient fourth = await ChannelClient.JoinAsync(server, first.ChannelId, Local(3));
        await Pair.ExpectRelayAsync(third, first, second, fourth);
    }

    [Fact]
    public async Task An_address_stays_known_and_joins_stay_counted_when_participants_leave()
    {
        ServerUnderTest server = await servers.WithAsync(Roomy);
        await using ChannelClient first = await ChannelClient.OpenAsync(server, Local(2));
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId, Local(3));
        await second.LeaveAsync();
        await ChannelClient.ExpectNoSeatAsync(server, first.ChannelId, "close-4404", Local(4));
        await using ChannelClient back = await ChannelClient.JoinAsync(server, first.ChannelId, Local(3));
        await Pair.ExpectRelayAsync(back, first);
    }

    [Fact]
    public async Task A_stranger_is_not_even_told_that_a_channel_is_full()
    {
        ServerUnderTest server = await servers.WithAsync("--max_channel_connections=2");
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient stranger = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{pair.First.ChannelId}", Local(4));
        await stranger.ExpectCloseAsync("close-4404");
    }

    [Fact]
    public async Task A_refused_stranger_does_not_become_known()
    {
        ServerUnderTest server = await servers.WithAsync(Roomy);
        await using ChannelClient first = await ChannelClient.OpenAsync(server, Local(2));
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId, Local(2));
        for (int i = 0; i < 2; i++)
        {
            await ChannelClient.ExpectNoSeatAsync(server, first.ChannelId, "close-4404", Local(4));
        }
    }

    private static IPAddress Local(byte last) => new([127, 0, 0, last]);
}
