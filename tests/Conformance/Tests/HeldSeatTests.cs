using System.Diagnostics;
using System.Net;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Which ends leave a held seat, how long it is held, and what it is worth meanwhile.</summary>
public sealed class HeldSeatTests(Servers servers)
{
    [Fact]
    public async Task After_a_reset_the_token_takes_the_seat_back()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.DefaultAsync());
        await watched.Client.SendTextAsync("one", "two");
        await watched.Watcher.ExpectMessageAsync(1, "2", "one");
        await watched.Watcher.ExpectMessageAsync(2, "2", "two");
        await watched.Watcher.SendTextAsync("heard");
        await watched.Client.ExpectMessagesAsync("heard");
        await watched.Client.ExpectNothingAsync();
        await watched.LoseAsync();
        await watched.Watcher.SendTextAsync("while away");

        await using ChannelClient back = await watched.ResumeAsync();
        Golden.AssertGreeting("greeting-resumed", back.Greeting, watched.Client.ChannelId);
        Assert.NotEqual(watched.Client.Token, back.Token);
        await back.ExpectNumberAsync(1);
        await back.ExpectNumberedAsync(2, "while away");
        await watched.Watcher.ExpectPeerAsync("2", "back");
        await back.SendTextAsync("and on");
        await watched.Watcher.ExpectMessageAsync(3, "2", "and on");
        await watched.Watcher.SendTextAsync("as before");
        await back.ExpectNumberedAsync(3, "as before");
    }

    [Fact]
    public async Task After_an_end_of_stream_too()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.DefaultAsync());
        watched.Client.Connection.HalfClose();
        await watched.Watcher.ExpectPeerAsync("2", "away");
        await watched.Client.Connection.ExpectEndAsync();
        await using ChannelClient back = await watched.ResumeAsync();
        await watched.Watcher.ExpectPeerAsync("2", "back");
        await Pair.ExpectRelayAsync(watched.Watcher, back);
    }

    [Fact]
    public async Task After_a_client_timeout_too()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.WithAsync("--heartbeat=1 --client_timeout=8"));
        Task away = watched.Watcher.ExpectPeerAsync("2", "away");
        Frame frame;
        do
            frame = await watched.Client.Connection.ReadFrameAsync();
        while (frame.FirstOctet == Frame.Ping);
        Golden.AssertFrame("close-4408", frame);
        await away;
        await using ChannelClient back = await watched.ResumeAsync();
        await watched.Watcher.ExpectPeerAsync("2", "back");
        await Pair.ExpectRelayAsync(watched.Watcher, back);
    }

    [Fact]
    public async Task A_close_frame_gives_the_seat_up()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.DefaultAsync());
        await watched.Client.LeaveAsync();
        await watched.Watcher.ExpectPeerAsync("2", "left");
        await ChannelClient.ExpectNoResumeAsync(watched.Server, watched.Client);
    }

    [Fact]
    public async Task A_close_frame_with_a_reset_behind_it_gives_the_seat_up()
    {
        for (int round = 0; round < 20; round++)
        {
            await using Watched watched = await Watched.OpenAsync(await servers.DefaultAsync());
            await watched.Client.SendAsync(ClientFrame.Close(1000));
            watched.Client.Connection.Reset();
            await watched.Watcher.ExpectPeerAsync("2", "left");
        }
    }

    [Fact]
    public async Task A_limit_of_the_channel_ends_held_seats_with_it()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.DefaultAsync());
        await watched.LoseAsync();
        await watched.Watcher.SendTextAsync([.. Enumerable.Range(0, 11).Select(i => $"{i}")]);
        await watched.Watcher.ExpectEndFrameAsync("4429");
        await ChannelClient.ExpectNoResumeAsync(watched.Server, watched.Client);
    }

    [Fact]
    public async Task It_may_be_taken_back_from_another_address_and_is_described_by_that()
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=0 --max_channel_connections=4");
        await using Watched watched = await Watched.OpenAsync(server, Local(2), Local(3));
        await watched.LoseAsync();
        await using ChannelClient back = await watched.ResumeAsync(null, Local(9));
        await watched.Watcher.ExpectPeerAsync("2", "back");
        await back.SendTextAsync("from elsewhere");
        Assert.Contains("\"remote\":\"127.0.0.9\"", await watched.Watcher.ReadTextAsync(), StringComparison.Ordinal);

        // The address of a seat is a known one, beside those of the two first joins.
        await using ChannelClient third = await ChannelClient.JoinAsync(server, watched.Watcher.ChannelId, Local(9));
        await using ChannelClient fourth = await ChannelClient.JoinAsync(server, watched.Watcher.ChannelId, Local(3));
    }

    [Fact]
    public async Task It_is_taken_back_however_full_the_channel_is()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.DefaultAsync());
        await using ChannelClient third = await ChannelClient.JoinAsync(watched.Server, watched.Client.ChannelId);
        await watched.Watcher.ExpectPeerAsync("3", "joined");
        await watched.LoseAsync();
        await using ChannelClient back = await watched.ResumeAsync();
        await Pair.ExpectRelayAsync(back, third);
    }

    [Fact]
    public async Task A_full_channel_gives_it_up_to_a_newcomer_from_its_address_and_to_no_other()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.DefaultAsync(), Local(2), Local(3));
        await using ChannelClient third = await ChannelClient.JoinAsync(watched.Server, watched.Client.ChannelId, Local(2));
        await watched.Watcher.ExpectPeerAsync("3", "joined");
        await watched.LoseAsync();

        await using ChannelClient known = await ChannelClient.UpgradeAsync(watched.Server, $"/v1/ws/{watched.Client.ChannelId}", Local(2));
        await known.ExpectCloseAsync("close-4409");
        await ChannelClient.ExpectNoSeatAsync(watched.Server, watched.Client.ChannelId, "close-4404", Local(4));
        await using ChannelClient newcomer = await ChannelClient.JoinAsync(watched.Server, watched.Client.ChannelId, Local(3));
        await watched.Watcher.ExpectPeerAsync("2", "left");
        await watched.Watcher.ExpectPeerAsync("4", "joined");
        await ChannelClient.ExpectNoResumeAsync(watched.Server, watched.Client);
        await Pair.ExpectRelayAsync(newcomer, third);
    }

    [Fact]
    public async Task A_channel_with_nothing_but_held_seats_lives()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        pair.First.Connection.Reset();
        pair.Second.Connection.Reset();
        await using ChannelClient second = await ChannelClient.ResumeAsync(server, pair.Second);
        await using ChannelClient first = await ChannelClient.ResumeAsync(server, pair.First);
        await Pair.ExpectRelayAsync(first, second);
    }

    [Fact]
    public async Task A_seat_can_be_lost_and_taken_back_again_and_again()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.WithAsync("--max_exchanges=0"));
        ChannelClient client = watched.Client;
        for (int round = 0; round < 30; round++)
        {
            client.Connection.Reset();
            await watched.Watcher.ExpectPeerAsync("2", "away");
            await watched.Watcher.SendTextAsync($"{round}");
            client = await ChannelClient.ResumeAsync(watched.Server, client);
            Assert.Equal(round, client.Received);
            await watched.Watcher.ExpectPeerAsync("2", "back");
            await client.ExpectMessagesAsync($"{round}");
            await client.ExpectNothingAsync();
            await client.SendTextAsync("back");
            await watched.Watcher.ExpectMessageAsync(round + 1, "2", "back");
        }
        await client.DisposeAsync();
    }

    private static IPAddress Local(byte last) => new([127, 0, 0, last]);
}

/// <summary>In a class of its own, so that it waits beside the others.</summary>
public sealed class ResumeWindowTests(Servers servers)
{
    [Fact]
    public async Task When_the_window_is_over_the_seat_is_given_up()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.WithAsync("--resume_window=6"));
        Stopwatch held = Stopwatch.StartNew();
        await watched.LoseAsync();
        await watched.Watcher.ExpectPeerAsync("2", "left");
        Assert.InRange(held.Elapsed.TotalSeconds, 5.9, 14);
        await ChannelClient.ExpectNoResumeAsync(watched.Server, watched.Client);
    }

    [Fact]
    public async Task The_window_begins_anew_each_time()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.WithAsync("--resume_window=6"));
        await watched.LoseAsync();
        await Task.Delay(3000, TestContext.Current.CancellationToken);
        await using ChannelClient back = await watched.ResumeAsync();
        await watched.Watcher.ExpectPeerAsync("2", "back");
        Stopwatch held = Stopwatch.StartNew();
        back.Connection.Reset();
        await watched.Watcher.ExpectPeerAsync("2", "away");
        await watched.Watcher.ExpectPeerAsync("2", "left");
        Assert.InRange(held.Elapsed.TotalSeconds, 5.9, 14);
    }

    [Fact]
    public async Task Without_a_window_there_is_nothing_of_it()
    {
        ServerUnderTest server = await servers.WithAsync("--resume_window=0");
        await using ChannelClient first = await ChannelClient.UpgradeAsync(server, "/v1/ws/");
        await first.ReadGreetingAsync();
        Golden.AssertFrame("greeting-plain", first.Greeting, first.ChannelId);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        Golden.AssertFrame("greeting-plain", second.Greeting, first.ChannelId);
        await first.SendTextAsync("one", "two");
        await second.ExpectMessagesAsync("one", "two");

        // No ping stands between an envelope and what comes behind it, and no pong is an acknowledgement.
        await second.SendAsync(ClientFrame.Pong("99"u8), ClientFrame.Ping("next"u8));
        Frame next = await second.ReadPastHeartbeatsAsync();
        Assert.True(next.FirstOctet == Frame.Pong, $"Expected the pong, got: {next}");

        first.Connection.Reset();
        await using ChannelClient claim = await ChannelClient.UpgradeAsync(
            server, ChannelClient.ResumeTarget(first.ChannelId, "00000000000000000000000000000000"));
        await claim.ExpectCloseAsync("close-4401");
    }
}

/// <summary>In a class of its own too.</summary>
public sealed class HeldChannelTests(Servers servers)
{
    [Fact]
    public async Task With_the_last_held_seat_the_channel_is_gone()
    {
        ServerUnderTest server = await servers.WithAsync("--resume_window=6");
        await using Watched watched = await Watched.OpenAsync(server);
        await watched.LoseAsync();
        await watched.Watcher.LeaveAsync();
        // While it is held somebody may join.
        await using ChannelClient visitor = await ChannelClient.JoinAsync(server, watched.Client.ChannelId);
        await visitor.LeaveAsync();
        await Task.Delay(10_000, TestContext.Current.CancellationToken);
        await using ChannelClient late = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{watched.Client.ChannelId}");
        await late.ExpectCloseAsync("close-4404");
    }

    [Fact]
    public async Task The_lifespan_ends_a_channel_with_held_seats()
    {
        ServerUnderTest server = await servers.WithAsync("--conn_lifespan=6");
        await using Watched watched = await Watched.OpenAsync(server);
        await watched.LoseAsync();
        await watched.Watcher.ExpectEndFrameAsync("4410");
        await ChannelClient.ExpectNoResumeAsync(server, watched.Client);
        await ChannelClient.ExpectNoSeatAsync(server, watched.Client.ChannelId, "close-4404");
    }
}
