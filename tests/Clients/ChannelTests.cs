using ChannelServer.Client;
using ChannelServer.Conformance;
using RawClient = ChannelServer.Conformance.Wire.ChannelClient;

namespace ChannelServer.Clients;

/// <summary>The .NET client against a running server, with nothing in between.</summary>
public sealed class ChannelTests(Servers servers)
{
    private const string Nowhere = "AAAAAAAAAAAAAAAAAAAAAA";

    [Fact]
    public async Task Two_clients_meet_see_each_other_and_talk()
    {
        Uri url = UrlOf(await servers.DefaultAsync());
        await using ChannelClient first = await ChannelClient.OpenAsync(url);
        Task<PeerChange> joined = first.ChangeAsync(PeerNews.Joined);
        Task<PeerChange> left = first.ChangeAsync(PeerNews.Left);
        Assert.Equal(2, first.Version);
        Assert.Equal(22, first.ChannelId.Length);
        Assert.Equal($"/v1/ws/{first.ChannelId}", first.Link);
        Assert.Equal(new ChannelLimits(TimeSpan.FromSeconds(300), 10, 0, 65536), first.Limits);
        Assert.Empty(first.Peers);

        await using ChannelClient second = await ChannelClient.JoinAsync(url, first.ChannelId, new ChannelClientOptions
        {
            Configure = socket => socket.SetRequestHeader("User-Agent", "second/1.0"),
        });
        Peer there = Assert.Single(second.Peers);
        Assert.False(there.IsAway);
        Assert.Equal("second/1.0", (await joined).Sender.UserAgent);

        await second.SendAsync("h\u00e9llo \U0001F98A");
        ChannelMessage message = await first.NextAsync();
        Assert.Equal(
            new ChannelMessage("h\u00e9llo \U0001F98A", new Sender(null, null, null, "127.0.0.1", "second/1.0"), (await joined).Id, 1), message);

        await second.CloseAsync();
        await second.ExpectEndAsync(1000, "", false);
        Assert.Equal((await joined).Id, (await left).Id);
        Assert.Empty(first.Peers);
        await Assert.ThrowsAsync<InvalidOperationException>(() => second.SendAsync("late"));
        await foreach (ChannelMessage _ in second.Messages)
            Assert.Fail("Nothing was sent to the second.");
    }

    [Fact]
    public async Task What_was_sent_right_before_the_close_arrives()
    {
        Uri url = UrlOf(await servers.DefaultAsync());
        await using ChannelClient first = await ChannelClient.OpenAsync(url);
        ChannelClient second = await ChannelClient.JoinAsync(url, first.ChannelId);
        string[] texts = ["1", "2", "3"];
        foreach (string text in texts)
            second.Post(text);
        await second.DisposeAsync();
        foreach (string text in texts)
            Assert.Equal(text, (await first.NextAsync()).Text);
    }

    [Fact]
    public async Task A_join_of_an_unknown_channel_is_refused()
    {
        Uri url = UrlOf(await servers.DefaultAsync());
        ChannelException refused = await Assert.ThrowsAsync<ChannelException>(() => ChannelClient.JoinAsync(url, Nowhere));
        Assert.Equal((4404, "channel unavailable", false), (refused.Code, refused.Reason, refused.Retry));
    }

    [Fact]
    public async Task An_upgrade_that_is_refused_is_not_tried_again()
    {
        Uri url = UrlOf(await servers.DefaultAsync());
        ChannelException refused = await Assert.ThrowsAsync<ChannelException>(() => ChannelClient.OpenAsync(new Uri(url, "/elsewhere")));
        Assert.Equal(System.Net.HttpStatusCode.NotFound, refused.Status);
        Assert.False(refused.Retry);
    }

    [Fact]
    public async Task The_message_beyond_the_exchange_limit_ends_the_channel_and_is_known_not_to_be_accepted()
    {
        Uri url = UrlOf(await servers.WithAsync("--max_exchanges=2"));
        await using ChannelClient first = await ChannelClient.OpenAsync(url);
        await using ChannelClient second = await ChannelClient.JoinAsync(url, first.ChannelId);
        Task[] sending = [first.SendAsync("1"), first.SendAsync("2"), first.SendAsync("3")];
        await sending[0];
        await sending[1];
        ChannelException refused = await Assert.ThrowsAsync<ChannelException>(() => sending[2]);
        Assert.Equal((4429, "exchange limit", false), (refused.Code, refused.Reason, refused.Retry));
        await first.ExpectEndAsync(4429, "exchange limit", false);
        Assert.Equal("1", (await second.NextAsync()).Text);
        Assert.Equal("2", (await second.NextAsync()).Text);
        Assert.Equal(4429, (await Assert.ThrowsAsync<ChannelException>(second.NextAsync)).Code);
        Assert.Equal(4429, (await Assert.ThrowsAsync<ChannelException>(() => first.SendAsync("4"))).Code);
    }

    [Fact]
    public async Task A_channel_ends_with_its_time()
    {
        Uri url = UrlOf(await servers.WithAsync("--conn_lifespan=1"));
        await using ChannelClient client = await ChannelClient.OpenAsync(url);
        await client.ExpectEndAsync(4410, "channel expired", false);
    }

    [Fact]
    public async Task The_end_of_a_channel_is_announced()
    {
        Uri url = UrlOf(await servers.WithAsync("--conn_lifespan=35"));
        await using ChannelClient client = await ChannelClient.OpenAsync(url);
        TaskCompletionSource<TimeSpan> announced = new();
        client.Expiring += (_, expiresIn) => announced.TrySetResult(expiresIn);
        // A turn of the server that is late tells of less.
        Assert.InRange((await announced.Task.WaitAsync(Talk.Patience)).TotalSeconds, 28, 30);
    }

    [Fact]
    public async Task A_message_that_the_server_would_not_take_is_refused_before_it_is_sent()
    {
        Uri url = UrlOf(await servers.WithAsync("--max_message=10"));
        await using ChannelClient client = await ChannelClient.OpenAsync(url);
        Assert.Equal(1009, (await Assert.ThrowsAsync<ChannelException>(() => client.SendAsync("\u20ac\u20ac\u20ac\u20ac"))).Code);
        await client.SendAsync("\u20ac\u20ac\u20ac.");
    }

    [Fact]
    public async Task The_queue_has_two_limits_and_says_which_was_met()
    {
        await using CuttingProxy proxy = new((await servers.DefaultAsync()).Address);
        await using ChannelClient client = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick with { QueueMessages = 3, QueueOctets = 10 });
        Task lost = client.LostAsync();
        proxy.Plan = _ => null;
        proxy.CutAll();
        await lost;
        client.Post("12345678");
        Assert.Equal("QueueOctets", Assert.Throws<QueueFullException>(() => client.Post("\u20ac")).Limit);
        client.Post("9");
        client.Post("0");
        QueueFullException full = Assert.Throws<QueueFullException>(() => client.Post(""));
        Assert.Equal("QueueMessages", full.Limit);
        Assert.Contains("QueueMessages is 3", full.Message, StringComparison.Ordinal);
        proxy.Plan = _ => Cut.Never;
    }

    [Fact]
    public async Task A_version_1_client_in_the_same_channel_is_understood_and_understands()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient client = await ChannelClient.OpenAsync(UrlOf(server));
        Task<PeerChange> left = client.ChangeAsync(PeerNews.Left);
        await using RawClient old = await RawClient.JoinAsync(server, client.ChannelId);
        await client.SendAsync("to version 1");
        await old.ExpectMessagesAsync("to version 1");
        await old.SendTextAsync("to version 2");
        Assert.Equal("to version 2", (await client.NextAsync()).Text);
        await old.LeaveAsync();
        await left;
    }

    [Fact]
    public async Task A_server_that_stops_tells_that_a_new_channel_may_be_tried()
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--drain_window=0");
        await using ChannelClient client = await ChannelClient.OpenAsync(UrlOf(server));
        await server.Process!.StopAsync();
        await client.ExpectEndAsync(1001, "server shutdown", true);
    }

    [Fact]
    public async Task A_server_that_came_back_without_the_channel_refuses_the_resume()
    {
        ServerUnderTest server = await ServerProcess.StartAsync();
        await using CuttingProxy proxy = new(server.Address);
        await using ChannelClient client = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick);
        Task lost = client.LostAsync();
        await client.SendAsync("kept by nobody");
        // As a crash does.
        await server.Process!.DisposeAsync();
        await lost;
        proxy.Target = (await servers.DefaultAsync()).Address;
        await client.ExpectEndAsync(4401, "resume refused", false);
    }

    private static Uri UrlOf(ServerUnderTest server) => new($"ws://{server.Address}");
}
