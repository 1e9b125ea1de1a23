using System.Net;
using System.Text.Json;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>
/// Every end either holds the seat or gives it up. A channel for two shows which: somebody with a known address, which is not the seat's own, gets in
/// only where the seat was given up, and its token takes it back only where it is held.
/// </summary>
public sealed class SeatAfterEndTests(Servers servers)
{
    private const string ForTwo = "--max_channel_connections=2 --max_exchanges=0";

    private static readonly IPAddress _watcher = new([127, 0, 0, 2]);
    private static readonly IPAddress _client = new([127, 0, 0, 3]);

    public static TheoryData<string, byte[]> Violations => new()
    {
        { "close-1002", ClientFrame.Unmasked(Frame.Text, "x"u8) },
        { "close-1002", ClientFrame.Pong("1"u8) },
        { "close-1003", ClientFrame.Binary("x"u8) },
        { "close-1007", ClientFrame.Text([0xC0, 0x80]) },
        { "close-1008-fragments", [.. Enumerable.Range(0, 65).SelectMany(i => ClientFrame.Of(i == 0 ? ClientFrame.TextOpcode : ClientFrame.Continuation, "x"u8))] },
        { "close-1009", ClientFrame.Text(new string('x', 65537)) },
    };

    [Theory]
    [MemberData(nameof(Violations))]
    public async Task A_violation_gives_it_up(string close, byte[] violation)
    {
        await using Watched watched = await OpenAsync();
        await watched.Client.SendAsync(violation);
        await watched.Client.ExpectCloseAsync(close);
        await ExpectGivenUpAsync(watched);
    }

    [Theory]
    [InlineData(Frame.Ping)]
    [InlineData(Frame.Pong)]
    public async Task A_flood_of_control_frames_gives_it_up(byte firstOctet)
    {
        await using Watched watched = await OpenAsync();
        Task sending = watched.Client.SendAsync([.. Enumerable.Repeat(ClientFrame.Of(firstOctet, new byte[125]), 2500)]);
        Frame answer;
        do
            answer = await watched.Client.ReadFrameAsync();
        while (answer.FirstOctet == Frame.Pong);
        Golden.AssertFrame("close-1008-rate", answer);
        await sending;
        await ExpectGivenUpAsync(watched);
    }

    [Fact]
    public async Task A_reader_that_is_too_slow_gives_it_up()
    {
        ServerUnderTest server = await servers.WithAsync(ForTwo);
        ChannelClient watcher = await Version2.OpenAsync(server, _watcher);
        ChannelClient slow = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{watcher.ChannelId}", _client, null, receiveBuffer: 4096);
        await using Watched watched = new(server, watcher, slow);
        await slow.ReadGreetingAsync();
        await watcher.ExpectPeerAsync("2", "joined");
        // Far more than the queue and the kernel's buffers hold.
        byte[] large = ClientFrame.Text(new string('x', 60_000));
        for (int i = 0; i < 200; i++)
            await watcher.SendAsync(large);
        // All of them are dealt with before anybody else comes.
        bool hasLeft = false;
        for (int accepted = 0; accepted < 200;)
        {
            using JsonDocument json = JsonDocument.Parse(await watcher.ReadTextAsync());
            if (json.RootElement.TryGetProperty("received", out JsonElement received))
            {
                accepted = received.GetInt32();
                continue;
            }
            // Not away first: a held seat would be given up too, by what comes for it.
            Assert.Equal("left", json.RootElement.GetProperty("state").GetString());
            hasLeft = true;
        }
        Assert.True(hasLeft, "The slow reader keeps its seat.");
        await ExpectFreeAsync(watched);
    }

    [Fact]
    public async Task A_close_frame_gives_it_up()
    {
        await using Watched watched = await OpenAsync();
        await watched.Client.LeaveAsync();
        await ExpectGivenUpAsync(watched);
    }

    [Theory]
    [InlineData("--max_exchanges=3", "4429")]
    [InlineData("--max_data=12", "4413")]
    public async Task A_limit_of_the_channel_gives_up_all_of_them(string setting, string end)
    {
        await using Watched watched = await Watched.OpenAsync(await servers.WithAsync(setting));
        await watched.Watcher.SendTextAsync("four", "more", "here", "last");
        await watched.Watcher.ExpectEndFrameAsync(end);
        await watched.Client.ExpectMessagesAsync("four", "more", "here");
        await watched.Client.ExpectCloseAsync($"close-{end}");
        await ExpectNoChannelAsync(watched);
    }

    [Fact]
    public async Task The_lifespan_of_the_channel_gives_up_all_of_them()
    {
        await using Watched watched = await Watched.OpenAsync(await servers.WithAsync("--conn_lifespan=6"));
        await watched.Watcher.ExpectEndFrameAsync("4410");
        await watched.Client.ExpectCloseAsync("close-4410");
        await ExpectNoChannelAsync(watched);
    }

    public static TheoryData<string, byte[]> LastWords => new()
    {
        { "nothing", [] },
        { "half a frame", ClientFrame.Text("half of this")[..^5] },
        { "half a message", ClientFrame.Fragments("half", "of this")[0] },
        { "half a close frame", ClientFrame.Close(1000)[..^1] },
    };

    [Theory]
    [MemberData(nameof(LastWords))]
    public async Task A_reset_holds_it(string lastWords, byte[] octets)
    {
        await using Watched watched = await OpenAsync();
        await watched.Client.SendAsync(octets);
        watched.Client.Connection.Reset();
        await ExpectHeldAsync(watched, lastWords);
    }

    [Theory]
    [MemberData(nameof(LastWords))]
    public async Task An_end_of_stream_holds_it(string lastWords, byte[] octets)
    {
        await using Watched watched = await OpenAsync();
        await watched.Client.SendAsync(octets);
        watched.Client.Connection.HalfClose();
        await watched.Client.Connection.ExpectEndAsync();
        await ExpectHeldAsync(watched, lastWords);
    }

    [Fact]
    public async Task A_client_timeout_holds_it()
    {
        ServerUnderTest server = await servers.WithAsync("--max_channel_connections=2 --heartbeat=1 --client_timeout=8");
        await using Watched watched = await Watched.OpenAsync(server, _watcher, _client);
        Task held = ExpectHeldAsync(watched, "nothing");
        Frame frame;
        do
            frame = await watched.Client.Connection.ReadFrameAsync();
        while (frame.FirstOctet == Frame.Ping);
        Golden.AssertFrame("close-4408", frame);
        await held;
    }

    private async Task<Watched> OpenAsync() => await Watched.OpenAsync(await servers.WithAsync(ForTwo), _watcher, _client);

    private static async Task ExpectGivenUpAsync(Watched watched)
    {
        await watched.Watcher.ExpectPeerAsync("2", "left");
        await ExpectFreeAsync(watched);
    }

    private static async Task ExpectFreeAsync(Watched watched)
    {
        await ChannelClient.ExpectNoResumeAsync(watched.Server, watched.Client);
        await using ChannelClient newcomer = await ChannelClient.JoinAsync(watched.Server, watched.Watcher.ChannelId, _watcher);
        await watched.Watcher.ExpectPeerAsync("3", "joined");
        await Pair.ExpectRelayAsync(watched.Watcher, newcomer);
        // Nor does it come back once somebody else has the place.
        await ChannelClient.ExpectNoResumeAsync(watched.Server, watched.Client);
    }

    private static async Task ExpectHeldAsync(Watched watched, string lastWords)
    {
        await watched.Watcher.ExpectPeerAsync("2", "away");
        await using ChannelClient newcomer = await ChannelClient.UpgradeAsync(watched.Server, $"/v1/ws/{watched.Watcher.ChannelId}", _watcher);
        await newcomer.ExpectCloseAsync("close-4409");
        await using ChannelClient back = await watched.ResumeAsync();
        Assert.True(back.Received == 0, $"Of {lastWords} the server has taken {back.Received} messages.");
        await watched.Watcher.ExpectPeerAsync("2", "back");
        await Pair.ExpectRelayAsync(watched.Watcher, back);
    }

    private static async Task ExpectNoChannelAsync(Watched watched)
    {
        await ChannelClient.ExpectNoResumeAsync(watched.Server, watched.Client);
        await using ChannelClient watcher = await Version2.UpgradeAsync(
            watched.Server, ChannelClient.ResumeTarget(watched.Watcher.ChannelId, watched.Watcher.Token));
        await watcher.ExpectEndFrameAsync("4401");
        await ChannelClient.ExpectNoSeatAsync(watched.Server, watched.Client.ChannelId, "close-4404");
    }
}
