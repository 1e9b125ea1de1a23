using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>The close handshake (RFC 6455, sections 5.5.1 and 7), and what a leaving client leaves behind.</summary>
public sealed class CloseTests(Servers servers)
{
    [Fact]
    public async Task A_close_is_answered_with_its_code_and_a_clean_end()
    {
        await using ChannelClient client = await OpenAsync();
        await client.SendAsync(Golden.Octets("client-close"));
        await client.ExpectCloseAsync("close-1000");
    }

    [Fact]
    public async Task An_empty_close_is_answered_with_1000()
    {
        await using ChannelClient client = await OpenAsync();
        await client.SendAsync(Golden.Octets("client-close-empty"));
        await client.ExpectCloseAsync("close-1000");
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(1001)]
    [InlineData(1002)]
    [InlineData(1003)]
    [InlineData(1007)]
    [InlineData(1008)]
    [InlineData(1009)]
    [InlineData(1010)]
    [InlineData(1011)]
    [InlineData(3000)]
    [InlineData(3999)]
    [InlineData(4000)]
    [InlineData(4999)]
    public async Task The_clients_code_is_echoed(int code)
    {
        await using ChannelClient client = await OpenAsync();
        await client.SendAsync(ClientFrame.Close(code, "for a reason"));
        Frame close = await client.ReadFrameAsync();
        Assert.Equal([0x88, 2, .. ClientFrame.ClosePayload(code, [])], close.Raw);
        await client.Connection.ExpectEndAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(999)]
    [InlineData(1004)]
    [InlineData(1005)]
    [InlineData(1006)]
    [InlineData(1015)]
    [InlineData(1016)]
    [InlineData(1100)]
    [InlineData(2000)]
    [InlineData(2999)]
    [InlineData(5000)]
    [InlineData(65535)]
    public async Task A_code_that_must_not_be_sent_is_a_protocol_error(int code)
    {
        await using ChannelClient client = await OpenAsync();
        await client.SendAsync(ClientFrame.Close(code));
        await client.ExpectCloseAsync("close-1002");
    }

    [Fact]
    public async Task A_reason_of_123_octets_is_fine()
    {
        await using ChannelClient client = await OpenAsync();
        await client.SendAsync(ClientFrame.Close(1000, new string('x', 123)));
        await client.ExpectCloseAsync("close-1000");
    }

    [Fact]
    public async Task A_reason_that_is_not_UTF_8_gets_1007()
    {
        await using ChannelClient client = await OpenAsync();
        await client.SendAsync(ClientFrame.Of(Frame.Close, ClientFrame.ClosePayload(1000, [0xC0, 0x80])));
        await client.ExpectCloseAsync("close-1007");
    }

    [Fact]
    public async Task A_reason_cut_off_inside_a_code_point_gets_1007()
    {
        await using ChannelClient client = await OpenAsync();
        await client.SendAsync(ClientFrame.Of(Frame.Close, ClientFrame.ClosePayload(1000, [0xE2, 0x82])));
        await client.ExpectCloseAsync("close-1007");
    }

    [Fact]
    public async Task Nothing_behind_a_close_is_heard()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await pair.Second.SendAsync(ClientFrame.Close(1000), ClientFrame.Text("too late"), ClientFrame.Ping("too late"u8));
        await pair.Second.ExpectCloseAsync("close-1000");
        await using ChannelClient third = await ChannelClient.JoinAsync(await servers.DefaultAsync(), pair.First.ChannelId);
        await Pair.ExpectRelayAsync(third, pair.First);
    }

    [Fact]
    public async Task A_half_close_ends_the_session_cleanly()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await pair.Second.SendTextAsync("last words");
        pair.Second.Connection.HalfClose();
        await pair.First.ExpectMessagesAsync("last words");
        await pair.Second.Connection.ExpectEndAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_one_leaves_or_is_lost_the_others_stay(bool leaves)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient third = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
        if (leaves)
            await pair.First.LeaveAsync();
        else
            pair.First.Connection.Reset();
        await Pair.ExpectRelayAsync(pair.Second, third);
        await Pair.ExpectRelayAsync(third, pair.Second);
    }

    [Fact]
    public async Task An_empty_channel_is_gone()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await pair.First.LeaveAsync();
        await pair.Second.LeaveAsync();
        await ChannelClient.ExpectNoSeatAsync(server, pair.First.ChannelId, "close-4404");
    }

    [Fact]
    public async Task A_channel_outlives_the_one_who_opened_it()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await pair.First.LeaveAsync();
        await using ChannelClient third = await ChannelClient.JoinAsync(server, pair.First.ChannelId);
        await Pair.ExpectRelayAsync(pair.Second, third);
    }

    private async Task<ChannelClient> OpenAsync() => await ChannelClient.OpenAsync(await servers.DefaultAsync());
}
