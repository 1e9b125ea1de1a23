using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Messages reach the others: whole, in order, in the envelope of version 1.</summary>
public sealed class RelayTests(Servers servers)
{
    private const string NoLimit = "--max_exchanges=0";

    [Fact]
    public async Task A_message_reaches_all_others_and_not_its_sender()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await using ChannelClient third = await ChannelClient.JoinAsync(server, first.ChannelId);

        await first.SendTextAsync("from the first");
        await second.ExpectMessagesAsync("from the first");
        await third.ExpectMessagesAsync("from the first");
        await second.SendTextAsync("from the second");
        // The next that the first hears is not its own message.
        await first.ExpectMessagesAsync("from the second");
        await third.ExpectMessagesAsync("from the second");
    }

    [Fact]
    public async Task Channels_do_not_hear_each_other()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair here = await Pair.OpenAsync(server);
        await using Pair elsewhere = await Pair.OpenAsync(server);

        await elsewhere.First.SendTextAsync("elsewhere");
        await elsewhere.Second.ExpectMessagesAsync("elsewhere");
        await here.First.SendTextAsync("here");
        await here.Second.ExpectMessagesAsync("here");
    }

    [Fact]
    public async Task The_envelope_is_exact()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        ServerUnderTest.RequireOwnProcess("to know its own address as the server sees it");
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId, null, "User-Agent: example/1.0");
        await second.SendAsync(Golden.Octets("client-message"));
        Golden.AssertFrame("envelope", await first.ReadFrameAsync());
    }

    [Theory]
    [InlineData("\t\n\v\f\r hello \r\f\v\n\t", "hello")]
    [InlineData("\u0085\u00a0\u1680hello\u2000\u2001\u2002\u2003", "hello")]
    [InlineData("\u2004\u2005\u2006\u2007hello\u2008\u2009\u200a", "hello")]
    [InlineData("\u2028\u2029\u202f\u205f\u3000hello\u3000", "hello")]
    [InlineData(" a  b ", "a  b")]
    [InlineData("\u200bhello\ufeff", "\u200bhello\ufeff")] // zero width, but no white space
    [InlineData("\u180ehello\u001c", "\u180ehello\u001c")]
    [InlineData("", "")]
    [InlineData(" \t\u3000 ", "")]
    public async Task A_message_is_trimmed_of_white_space(string sent, string relayed)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await first.SendTextAsync(sent);
        await second.ExpectMessagesAsync(relayed);
    }

    [Theory]
    [InlineData("\"", "\\\"")]
    [InlineData("\\", "\\\\")]
    [InlineData("\0", "\\u0000")]
    [InlineData("a\b\f\n\r\tb", "a\\b\\f\\n\\r\\tb")]
    [InlineData("\u0001\u001f", "\\u0001\\u001f")]
    [InlineData("/<>&'+", "/<>&'+")]
    [InlineData("a\u2028b\u2029c\u0085d", "a\u2028b\u2029c\u0085d")]
    [InlineData("\u007f\u0080", "\u007f\u0080")]
    [InlineData("\ud83e\udd8a", "\ud83e\udd8a")]
    [InlineData("\ufffe\uffff", "\ufffe\uffff")]
    [InlineData("\",\"sender\":{},\"x\":\"", "\\\",\\\"sender\\\":{},\\\"x\\\":\\\"")]
    public async Task Only_what_JSON_demands_is_escaped(string sent, string escaped)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await first.SendTextAsync(sent);
        Assert.StartsWith($"{{\"message\":\"{escaped}\",\"sender\":{{", await second.ReadTextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Thousands_of_messages_keep_their_order_in_both_directions()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        for (int round = 0; round < 40; round++)
        {
            string[] up = [.. Enumerable.Range(0, 50).Select(i => $"up {round}.{i}")];
            string[] down = [.. Enumerable.Range(0, 50).Select(i => $"down {round}.{i}")];
            await Task.WhenAll(
                first.SendTextAsync(up), second.SendTextAsync(down),
                first.ExpectMessagesAsync(down), second.ExpectMessagesAsync(up));
        }
    }

    [Fact]
    public async Task A_burst_does_not_make_a_reading_peer_a_slow_one()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        string[] burst = [.. Enumerable.Range(0, 1000).Select(i => $"{i}")];
        await Task.WhenAll(first.SendTextAsync(burst), second.ExpectMessagesAsync(burst));
    }

    [Fact]
    public async Task A_message_may_arrive_octet_by_octet()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await first.Connection.SendOctetByOctetAsync(ClientFrame.Text(new string('x', 200) + "\u00e4\u20ac\ud83e\udd8a"));
        await second.ExpectMessagesAsync(new string('x', 200) + "\u00e4\u20ac\ud83e\udd8a");
    }

    [Fact]
    public async Task A_message_from_one_who_leaves_at_once_arrives()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await first.SendAsync(ClientFrame.Text("last words"), ClientFrame.Close(1000));
        await first.ExpectCloseAsync("close-1000");
        await second.ExpectMessagesAsync("last words");
    }
}
