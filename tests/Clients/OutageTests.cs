using ChannelServer.Client;
using ChannelServer.Conformance;
using RawClient = ChannelServer.Conformance.Wire.ChannelClient;

namespace ChannelServer.Clients;

/// <summary>The .NET client against a running server, with a proxy in between that cuts.</summary>
public sealed class OutageTests(Servers servers)
{
    private const int Messages = 400;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public Task Hundreds_of_messages_each_way_arrive_once_and_in_order_however_they_are_cut(int seed) =>
        ExchangeAsync(CuttingProxy.Anywhere(seed, 2500), leastCuts: 10);

    // The upgrade has some 300 octets up and 200 down; then come the greeting, the replay and the messages.
    [Fact]
    public Task Every_octet_of_the_way_up_and_of_the_way_down_may_be_the_last() => ExchangeAsync(
        number => number % 2 == 0
            ? new Cut(number * 4, long.MaxValue, CutKind.Reset)
            : new Cut(long.MaxValue, number * 4, CutKind.EndOfStream),
        leastCuts: 50);

    [Fact]
    public async Task An_outage_is_told_and_what_was_sent_meanwhile_arrives()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using CuttingProxy proxy = new(server.Address);
        await using ChannelClient first = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick);
        await using ChannelClient second = await ChannelClient.JoinAsync(new Uri($"ws://{server.Address}"), first.ChannelId);
        Task<PeerChange> away = second.ChangeAsync(PeerNews.Away), back = second.ChangeAsync(PeerNews.Back);
        Task lost = first.LostAsync(), resumed = first.ResumedAsync();
        proxy.Plan = _ => null;
        proxy.CutAll();
        await lost;
        Assert.False(first.IsConnected);
        await away;
        Assert.True(Assert.Single(second.Peers).IsAway);
        Task sending = first.SendAsync("meanwhile");
        await second.SendAsync("for you");
        Assert.False(sending.IsCompleted);
        proxy.Plan = _ => Cut.Never;
        await resumed;
        await sending.WaitAsync(Talk.Patience);
        Assert.Equal("for you", (await first.NextAsync()).Text);
        Assert.Equal("meanwhile", (await second.NextAsync()).Text);
        await back;
    }

    [Fact]
    public async Task Who_came_and_went_during_an_outage_is_told_after_it()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        Uri direct = new($"ws://{server.Address}");
        await using CuttingProxy proxy = new(server.Address);
        await using ChannelClient first = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick);
        Task<PeerChange> met = first.ChangeAsync(PeerNews.Joined);
        ChannelClient second = await ChannelClient.JoinAsync(direct, first.ChannelId);
        await met;
        Task<PeerChange> joined = first.ChangeAsync(PeerNews.Joined), left = first.ChangeAsync(PeerNews.Left);
        Task lost = first.LostAsync();
        proxy.Plan = _ => null;
        proxy.CutAll();
        await lost;
        await using ChannelClient third = await ChannelClient.JoinAsync(direct, first.ChannelId);
        await second.DisposeAsync();
        proxy.Plan = _ => Cut.Never;
        Assert.NotEqual((await met).Id, (await joined).Id);
        Assert.Equal((await met).Id, (await left).Id);
        Assert.Single(first.Peers);
    }

    [Fact]
    public async Task What_was_sent_before_the_close_arrives_even_if_the_connection_is_lost()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using CuttingProxy proxy = new(server.Address);
        ChannelClient first = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick);
        await using ChannelClient second = await ChannelClient.JoinAsync(new Uri($"ws://{server.Address}"), first.ChannelId);
        Task<PeerChange> left = second.ChangeAsync(PeerNews.Left);
        Task lost = first.LostAsync();
        proxy.CutAll();
        await lost;
        first.Post("last words");
        await first.CloseAsync();
        Assert.Equal("last words", (await second.NextAsync()).Text);
        await left;
        await first.ExpectEndAsync(1000, "", false);
    }

    [Fact]
    public async Task A_resume_beyond_the_servers_window_is_refused()
    {
        ServerUnderTest server = await servers.WithAsync("--resume_window=1");
        await using CuttingProxy proxy = new(server.Address);
        await using ChannelClient first = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick);
        await using ChannelClient second = await ChannelClient.JoinAsync(new Uri($"ws://{server.Address}"), first.ChannelId);
        Task<PeerChange> left = second.ChangeAsync(PeerNews.Left);
        proxy.Plan = _ => null;
        proxy.CutAll();
        await left;
        Task late = first.SendAsync("too late");
        proxy.Plan = _ => Cut.Never;
        await first.ExpectEndAsync(4401, "resume refused", false);
        Assert.Equal(4401, (await Assert.ThrowsAsync<ChannelException>(() => late)).Code);
        Assert.Equal(4401, (await Assert.ThrowsAsync<ChannelException>(first.NextAsync)).Code);
    }

    [Fact]
    public async Task Without_a_resume_window_on_the_server_a_lost_connection_is_the_end()
    {
        await using CuttingProxy proxy = new((await servers.WithAsync("--resume_window=0")).Address);
        await using ChannelClient client = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick);
        proxy.CutAll();
        await client.ExpectEndAsync(1006, "connection lost", true);
    }

    [Fact]
    public async Task When_its_own_window_is_over_it_gives_up()
    {
        WatchedTime time = new();
        await using CuttingProxy proxy = new((await servers.DefaultAsync()).Address);
        await using ChannelClient client = await ChannelClient.OpenAsync(proxy.Url, new ChannelClientOptions { TimeProvider = time });
        Task lost = client.LostAsync();
        proxy.Plan = _ => null;
        proxy.CutAll();
        await lost;
        Task late = client.SendAsync("lost");
        // The window opens right behind the event.
        await time.TimerAsync(TimeSpan.FromSeconds(50));
        for (int steps = 0; steps < 99; steps++)
        {
            time.Advance(TimeSpan.FromMilliseconds(500));
            await Task.Delay(1);
        }
        Assert.False(client.Completion.IsCompleted, "It gave up before the window was over.");
        time.Advance(TimeSpan.FromSeconds(1));
        await client.ExpectEndAsync(1006, "resume window over", true);
        // How many depends on how busy the machine is: an attempt takes its time whatever the clock says.
        Assert.InRange(proxy.Connections, 3, 40);
        Assert.Equal("resume window over", (await Assert.ThrowsAsync<ChannelException>(() => late)).Reason);
    }

    [Fact]
    public async Task A_connection_that_swallows_everything_is_replaced_and_the_seat_is_kept()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using CuttingProxy proxy = new(server.Address);
        await using ChannelClient first = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick with
        {
            KeepAliveInterval = TimeSpan.FromMilliseconds(300),
            KeepAliveTimeout = TimeSpan.FromMilliseconds(300),
        });
        await using ChannelClient second = await ChannelClient.JoinAsync(new Uri($"ws://{server.Address}"), first.ChannelId);
        proxy.CutAll(CutKind.Stall);
        await second.SendAsync("into the void");
        await first.SendAsync("into the other void").WaitAsync(Talk.Patience);
        Assert.Equal("into the void", (await first.NextAsync()).Text);
        Assert.Equal("into the other void", (await second.NextAsync()).Text);
    }

    [Fact]
    public async Task Nobody_who_answers_within_the_time_to_open_is_an_error()
    {
        await using CuttingProxy proxy = new((await servers.DefaultAsync()).Address) { Plan = _ => null };
        ChannelException none = await Assert.ThrowsAsync<ChannelException>(
            () => ChannelClient.OpenAsync(proxy.Url, Talk.Quick with { OpenTimeout = TimeSpan.FromSeconds(3) }));
        Assert.Equal((1006, "no connection", true), (none.Code, none.Reason, none.Retry));
        Assert.True(proxy.Connections > 1);
    }

    [Fact]
    public async Task A_client_of_each_version_with_the_connection_of_the_newer_one_cut_anywhere()
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=0");
        await using CuttingProxy proxy = new(server.Address);
        await using ChannelClient client = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick);
        await using RawClient old = await RawClient.JoinAsync(server, client.ChannelId);
        proxy.Plan = CuttingProxy.Anywhere(99, 1200);
        proxy.CutAll();
        for (int i = 0; i < 100; i++)
        {
            await old.SendTextAsync($"down {i}");
            Assert.Equal($"down {i}", (await client.NextAsync()).Text);
            await client.SendAsync($"up {i}").WaitAsync(Talk.Patience);
            await old.ExpectMessagesAsync($"up {i}");
        }
        Assert.True(proxy.Cuts > 5, $"Only {proxy.Cuts} cuts.");
        proxy.Plan = _ => Cut.Never;
    }

    /// <summary>Hundreds of messages each way, over connections that are cut as planned.</summary>
    private async Task ExchangeAsync(Func<int, Cut?> plan, int leastCuts)
    {
        await using CuttingProxy proxy = new((await servers.WithAsync("--max_exchanges=0")).Address);
        await using ChannelClient first = await ChannelClient.OpenAsync(proxy.Url, Talk.Quick);
        await using ChannelClient second = await ChannelClient.JoinAsync(proxy.Url, first.ChannelId, Talk.Quick);
        // From here on: the promise begins with the greeting.
        proxy.Plan = plan;
        proxy.CutAll();
        await Talk.ExchangeAsync(first, second, Messages);
        Assert.True(proxy.Cuts > leastCuts, $"Only {proxy.Cuts} cuts.");
        proxy.Plan = _ => Cut.Never;
    }
}
