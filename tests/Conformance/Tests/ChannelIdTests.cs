using System.Buffers.Text;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Which channel a path names, and what the greeting says.</summary>
public sealed class ChannelIdTests(Servers servers)
{
    [Fact]
    public async Task The_greeting_is_the_first_frame_byte_for_byte()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient client = await ChannelClient.UpgradeAsync(server, "/v1/ws/");
        Frame greeting = await client.ReadFrameAsync();
        string id = greeting.PayloadText.Split('"')[3];
        Golden.AssertGreeting("greeting", greeting, id);
    }

    [Fact]
    public async Task One_who_joins_gets_the_same_greeting()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{first.ChannelId}");
        Golden.AssertGreeting("greeting", await second.ReadFrameAsync(), first.ChannelId);
    }

    [Fact]
    public async Task An_id_is_16_octets_in_canonical_base64url_and_never_the_same()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        HashSet<string> ids = [];
        for (int i = 0; i < 20; i++)
        {
            await using ChannelClient client = await ChannelClient.OpenAsync(server);
            byte[] octets = Base64Url.DecodeFromChars(client.ChannelId);
            Assert.Equal(16, octets.Length);
            Assert.Equal(Base64Url.EncodeToString(octets), client.ChannelId);
            Assert.True(ids.Add(client.ChannelId));
        }
    }

    [Theory]
    [InlineData("=")]
    [InlineData("==")]
    [InlineData("====")]
    public async Task Padding_behind_an_id_is_dropped(string padding)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId + padding);
        Assert.Equal(first.ChannelId, second.ChannelId);
    }

    [Theory]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAA")] // well formed, but nobody's
    [InlineData("AAAAAAAAAAAAAAAAAAAAA")] // 21 characters
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAA")] // 23
    [InlineData("A")]
    [InlineData("=")]
    [InlineData("hello")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAA+")] // base64, not base64url
    [InlineData("AAAAAAAAAAA=AAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAA%41A")]
    [InlineData("%20AAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAA!")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAA;x")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task What_names_no_channel_gets_101_and_a_close_but_no_greeting(string id)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient client = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{id}");
        await client.ExpectCloseAsync("close-4404");
    }

    [Fact]
    public async Task An_id_of_thousands_of_characters_names_no_channel()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await ChannelClient.ExpectNoSeatAsync(server, new string('A', 6000), "close-4404");
    }

    [Fact]
    public async Task A_text_that_only_decodes_to_a_channels_octets_is_not_its_id()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        // The last character carries two bits of the id and four that must be zero.
        char alias = first.ChannelId[^1] switch { 'A' => 'B', 'Q' => 'R', 'g' => 'h', _ => 'x' };
        await using ChannelClient second = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{first.ChannelId[..^1]}{alias}");
        await second.ExpectCloseAsync("close-4404");
    }

    [Fact]
    public async Task Percent_encoding_is_not_decoded()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        string encoded = $"%{(int)first.ChannelId[0]:X2}{first.ChannelId[1..]}";
        await ChannelClient.ExpectNoSeatAsync(server, encoded, "close-4404");
    }

    [Fact]
    public async Task A_refused_client_that_goes_on_sending_still_gets_a_clean_end()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(new UpgradeRequest("/v1/ws/AAAAAAAAAAAAAAAAAAAAAA").ToBytes(), ClientFrame.Text(new string('x', 60000)));
        Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
        Golden.AssertFrame("close-4404", await connection.ReadFrameAsync());
        await connection.ExpectEndAsync();
    }
}
