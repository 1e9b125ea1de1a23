using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>The request head is read by RFC 9112 to the letter, and however its octets arrive.</summary>
public sealed class RequestHeadTests(Servers servers)
{
    private static readonly string _upgrade = new UpgradeRequest().ToString();
    private const string Health = "GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n\r\n";

    public static TheoryData<string, string> Malformed => new()
    {
        { "bare LF behind the request line", _upgrade.Replace("HTTP/1.1\r\n", "HTTP/1.1\n", StringComparison.Ordinal) },
        { "bare LF behind a field", _upgrade.Replace("13\r\n", "13\n", StringComparison.Ordinal) },
        { "bare LF as the empty line", _upgrade[..^2] + "\n" },
        { "bare CR in a field", _upgrade.Replace("13\r\n", "13\rX: y\r\n", StringComparison.Ordinal) },
        { "NUL in a field", _upgrade.Replace("13\r\n", "13\0\r\n", StringComparison.Ordinal) },
        { "obs-fold", _upgrade.Replace("13\r\n", "13\r\n folded\r\n", StringComparison.Ordinal) },
        { "white space before the colon", _upgrade.Replace("Host:", "Host :", StringComparison.Ordinal) },
        { "a field without a name", _upgrade.Replace("Host:", ": x\r\nHost:", StringComparison.Ordinal) },
        { "a field without a colon", _upgrade.Replace("Host:", "Nonsense\r\nHost:", StringComparison.Ordinal) },
        { "no Host", new UpgradeRequest { Host = null }.ToString() },
        { "two Hosts", new UpgradeRequest().With("Host: other.example").ToString() },
        { "two equal Hosts", new UpgradeRequest().With("Host: channel.example").ToString() },
        { "Content-Length beside Transfer-Encoding", new UpgradeRequest().With("Content-Length: 5", "Transfer-Encoding: chunked").ToString() },
        { "two Content-Lengths", new UpgradeRequest().With("Content-Length: 0", "Content-Length: 5").ToString() },
        { "a negative Content-Length", new UpgradeRequest().With("Content-Length: -1").ToString() },
        { "a Content-Length with a sign", new UpgradeRequest().With("Content-Length: +0").ToString() },
        { "no version", "GET /v1/ws/\r\nHost: channel.example\r\n\r\n" },
        { "version 2.0", new UpgradeRequest { Version = "HTTP/2.0" }.ToString() },
        { "a version in lower case", new UpgradeRequest { Version = "http/1.1" }.ToString() },
        { "two blanks in the request line", _upgrade.Replace("GET ", "GET  ", StringComparison.Ordinal) },
        { "a target without a slash", new UpgradeRequest("v1/ws/").ToString() },
        { "an octet over 127 in the target", new UpgradeRequest("/v1/ws/\u00e4").ToString() },
        { "no Host on another path", Health.Replace("Host: channel.example\r\n", "", StringComparison.Ordinal) },
        { "bare LF on another path", Health.Replace("\r\nHost", "\nHost", StringComparison.Ordinal) },
        { "Content-Length beside Transfer-Encoding on another path",
            Health.Replace("\r\n\r\n", "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", StringComparison.Ordinal) },
        { "bytes of TLS", "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003\n\r\n" },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task A_malformed_head_gets_400_and_a_clean_end(string what, string head)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(head);

        HttpResponse response = await connection.ReadResponseAsync();
        Assert.True(response.Status == 400, $"{what}: {response.Status}");
        await connection.ExpectEndAsync();
    }

    /// <summary>RFC 9110 (7.8): an Upgrade in HTTP/1.0 is ignored, so it is none.</summary>
    [Fact]
    public async Task An_upgrade_in_HTTP_1_0_gets_426()
    {
        HttpResponse response = await AnswerAsync(new UpgradeRequest { Version = "HTTP/1.0" }.ToString());
        Assert.Equal(426, response.Status);
    }

    [Fact]
    public async Task An_absolute_form_target_names_the_same_channel_path()
    {
        HttpResponse response = await AnswerAsync(new UpgradeRequest("http://channel.example/v1/ws/").ToString());
        Assert.Equal(101, response.Status);
    }

    [Fact]
    public async Task One_empty_line_before_the_request_is_ignored() =>
        Assert.Equal(101, (await AnswerAsync("\r\n" + _upgrade)).Status);

    [Fact]
    public async Task A_head_may_arrive_octet_by_octet()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendOctetByOctetAsync(Encoding.ASCII.GetBytes(_upgrade));
        Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
        await using ChannelClient client = await ChannelClient.GreetedAsync(connection);
        await client.LeaveAsync();
    }

    [Fact]
    public async Task Frames_may_arrive_together_with_the_head()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        byte[] head = new UpgradeRequest($"/v1/ws/{first.ChannelId}").ToBytes();

        // A whole frame and the first octet of another.
        byte[] next = ClientFrame.Text("two");
        await connection.SendAsync(head, ClientFrame.Text("one"), next[..1]);
        Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
        await using ChannelClient second = await ChannelClient.GreetedAsync(connection);
        await connection.SendAsync(next[1..]);

        await first.ExpectMessagesAsync("one", "two");
    }

    [Fact]
    public async Task A_kept_alive_connection_may_become_a_channel()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(Health);
        Assert.Equal(200, (await connection.ReadResponseAsync()).Status);

        await connection.SendAsync(_upgrade);
        Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
        await using ChannelClient client = await ChannelClient.GreetedAsync(connection);
        await client.LeaveAsync();
    }

    [Fact]
    public async Task A_pipelined_request_may_become_a_channel()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(Health + _upgrade);
        Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
        Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
        await using ChannelClient client = await ChannelClient.GreetedAsync(connection);
        await client.LeaveAsync();
    }

    [Fact]
    public async Task A_head_of_8_KiB_passes_and_one_octet_more_gets_431()
    {
        Assert.Equal(101, (await AnswerAsync(OfSize(8192))).Status);
        Assert.Equal(431, (await AnswerAsync(OfSize(8193))).Status);
    }

    [Fact]
    public async Task A_head_without_end_gets_431()
    {
        string head = _upgrade[..^2] + "X-Long: " + new string('x', 9000);
        Assert.Equal(431, (await AnswerAsync(head)).Status);
    }

    [Fact]
    public async Task Sixty_four_fields_pass_and_one_more_gets_431()
    {
        string[] more = [.. Enumerable.Range(0, 64 - 5).Select(i => $"X-{i}: y")];
        Assert.Equal(101, (await AnswerAsync(new UpgradeRequest().With(more).ToString())).Status);
        Assert.Equal(431, (await AnswerAsync(new UpgradeRequest().With([.. more, "X-Last: y"]).ToString())).Status);
    }

    private static string OfSize(int octets)
    {
        int missing = octets - new UpgradeRequest().With("X-Long: ").ToString().Length;
        return new UpgradeRequest().With("X-Long: " + new string('x', missing)).ToString();
    }

    private async Task<HttpResponse> AnswerAsync(string head)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(head);
        return await connection.ReadResponseAsync();
    }
}
