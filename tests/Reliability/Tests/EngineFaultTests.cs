using System.Text.Json;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>The error paths of the engines, met with real sockets at every stage of a connection, with channels on four shards.</summary>
public sealed class EngineFaultTests
{
    private const string Health = "GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n";

    /// <summary>What has happened on a connection when the fault comes. Each says something to it and leaves the rest unsaid.</summary>
    private static readonly (string Name, Func<string, RawConnection, Task> Bring)[] _stages =
    [
        ("connected", (_, _) => Task.CompletedTask),
        ("in the first line", (_, connection) => connection.SendAsync("GET /v1")),
        ("in the head", (_, connection) => connection.SendAsync(Upgrade("")[..^5])),
        ("behind the head of an opener", (_, connection) => connection.SendAsync(Upgrade(""))),
        ("behind the head of a joiner, who may be on its way to another shard", (id, connection) => connection.SendAsync(Upgrade(id))),
        ("behind a joiner's head and a message", (id, connection) => connection.SendAsync(Encoding.Latin1.GetBytes(Upgrade(id)), ClientFrame.Text("early"))),
        ("behind a refused join", (_, connection) => connection.SendAsync(Upgrade("AAAAAAAAAAAAAAAAAAAAAA"))),
        ("behind the upgrade", (_, connection) => UpgradeAsync(connection, "")),
        ("in the head of a frame", (id, connection) => UpgradeAsync(connection, id, ClientFrame.Text(new string('x', 300))[..3])),
        ("in the payload of a frame", (id, connection) => UpgradeAsync(connection, id, ClientFrame.Text("half a frame")[..9])),
        ("between two fragments", (id, connection) => UpgradeAsync(connection, id, ClientFrame.Fragments("one", "two")[0])),
        ("in a large message", (id, connection) => UpgradeAsync(connection, id, ClientFrame.Text(new string('x', 60_000))[..50_000])),
        ("behind a close frame", (id, connection) => UpgradeAsync(connection, id, ClientFrame.Close(1000))),
        ("behind a protocol error", (id, connection) => UpgradeAsync(connection, id, ClientFrame.Unmasked(Frame.Text, "x"u8))),
        ("behind an error answer", (_, connection) => connection.SendAsync("GET /v1/ws/ HTTP/1.1\r\n\r\n")),
        ("behind a request for the HTTP server", (_, connection) => connection.SendAsync(Health + "\r\n")),
        ("in a second request for the HTTP server", (_, connection) => connection.SendAsync(Health + "\r\n" + Health)),
    ];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_fault_at_any_stage_ends_that_connection_and_no_other(bool resets)
    {
        int rounds = Effort.Of(20, 500);
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Settings = ["--shards=4"],
            // What the server compiles and loads for faults does not count.
            First = async warm =>
            {
                await warm.CompileAsync(() => EndAtAllStagesAsync(warm, 10, resets));
                await warm.ExpectNobodyAsync();
            },
        });
        await EndAtAllStagesAsync(trial, rounds, resets);
        await trial.ConcludeAsync();
        Figures.Add($"{(resets ? "resets" : "half-closes")} at {_stages.Length} stages, {rounds} times each, 4 shards", $"no channel but the one's own noticed");
    }

    private static async Task EndAtAllStagesAsync(Trial trial, int rounds, bool resets)
    {
        foreach ((string name, Func<string, RawConnection, Task> bring) in _stages)
        {
            await Task.WhenAll(Enumerable.Range(0, rounds).Select(async _ =>
            {
                await using ChannelClient host = await trial.OpenAsync();
                await using RawConnection connection = await trial.ConnectAsync();
                await bring(host.ChannelId, connection);
                if (resets)
                {
                    connection.Reset();
                }
                else
                {
                    connection.HalfClose();
                    // The server finishes what it has to say, and closes as well.
                    await connection.ReadToEndAsync(RawConnection.Patience);
                }
                // The channel is there still, and has room.
                await using ChannelClient other = await JoinAsync(trial, host.ChannelId, name);
                await other.SendTextAsync("still here");
                // The pong tells that the server has relayed what came before.
                Assert.Empty((await ReadUpToPongAsync(other)).Except(["early"]));
                List<string> heard = await ReadUpToPongAsync(host);
                Assert.Contains("still here", heard);
                Assert.Empty(heard.Except(["still here", "early"]));
                // The early message of a joiner that was handed to another shard may come even now.
                await host.SendAsync(ClientFrame.Close(1000));
                await other.SendAsync(ClientFrame.Close(1000));
                await host.Connection.ReadToEndAsync(RawConnection.Patience);
                await other.Connection.ReadToEndAsync(RawConnection.Patience);
            }));
        }
    }

    [Fact]
    public async Task Pairs_meet_on_any_of_four_shards()
    {
        await using Trial trial = await Trial.StartAsync("--shards=4");
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            await using ChannelClient first = await trial.OpenAsync();
            await using RawConnection connection = await trial.ConnectAsync();
            // What a hasty client sends behind its head moves with it.
            await connection.SendAsync(Encoding.Latin1.GetBytes(Upgrade(first.ChannelId)), ClientFrame.Text($"hasty {i}"), ClientFrame.Text("half")[..4]);
            await first.ExpectMessagesAsync($"hasty {i}");
            Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
            ChannelClient second = await ChannelClient.GreetedAsync(connection);
            await connection.SendAsync(ClientFrame.Text("half")[4..]);
            await first.ExpectMessagesAsync("half");
            await first.SendTextAsync("back");
            await second.ExpectMessagesAsync("back");
            await first.LeaveAsync();
            await second.LeaveAsync();
        }));
        await trial.ConcludeAsync();
    }

    /// <summary>Descriptors are used again at once: an event for a closed one must not reach its successor.</summary>
    [Fact]
    public async Task A_closed_descriptors_events_never_reach_its_successor()
    {
        await using Trial trial = await Trial.StartAsync("--shards=1");
        int rounds = Effort.Of(60, 1000);
        for (int round = 0; round < rounds; round++)
        {
            ChannelClient[] dying = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => trial.OpenAsync()));
            // In one turn of the loop: the ends of ten, and as many newcomers for their descriptors.
            Task<ChannelClient[]> coming = Task.WhenAll(Enumerable.Range(0, 10).Select(_ => trial.OpenAsync()));
            foreach (ChannelClient client in dying)
            {
                await client.SendAsync(ClientFrame.Text("last words"), ClientFrame.Close(1000));
                client.Connection.Reset();
            }
            foreach (ChannelClient client in await coming)
            {
                await client.ExpectNothingAsync();
                client.Connection.Reset();
            }
        }
        await trial.ConcludeAsync();
    }

    /// <summary>A burst larger than the socket's buffer, to one who reads it late but in time: all of it, in order.</summary>
    [Fact]
    public async Task A_full_socket_buffer_delays_and_loses_nothing()
    {
        await using Trial trial = await Trial.StartAsync();
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            await using ChannelClient first = await trial.OpenAsync();
            await using ChannelClient late = await trial.UpgradeAsync($"/v1/ws/{first.ChannelId}", receiveBuffer: 4096);
            await late.ReadGreetingAsync();
            string[] texts = [.. Enumerable.Range(0, 5).Select(i => $"{i} {new string('x', 50_000)}")];
            await first.SendTextAsync(texts);
            // The pong comes when all of it has been taken in.
            await first.ExpectNothingAsync();
            await late.ExpectMessagesAsync(texts);
            await late.SendTextAsync("got it");
            await first.ExpectMessagesAsync("got it");
            await first.LeaveAsync();
            await late.LeaveAsync();
        }));
        await trial.ConcludeAsync();
    }

    [Fact]
    public async Task Requests_for_the_HTTP_server_may_be_pipelined_and_split_and_followed_by_an_upgrade()
    {
        await using Trial trial = await Trial.StartAsync("--shards=4");
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
        {
            await using ChannelClient first = await trial.OpenAsync();
            await using RawConnection connection = await trial.ConnectAsync();
            await connection.SendAsync($"{Health}\r\n{Health}\r\nGET /__version__ HTTP/1.1\r\nHo");
            Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
            Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
            await connection.SendAsync("st: a\r\n\r\n");
            Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
            await connection.SendOctetByOctetAsync(Encoding.ASCII.GetBytes(Health + "\r\n"));
            Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
            // The upgrade comes late, with a message behind it.
            await connection.SendAsync(Encoding.Latin1.GetBytes(Upgrade(first.ChannelId)), ClientFrame.Text("late"));
            Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
            ChannelClient second = await ChannelClient.GreetedAsync(connection);
            await first.ExpectMessagesAsync("late");
            await first.SendTextAsync("welcome");
            await second.ExpectMessagesAsync("welcome");
            await second.LeaveAsync();
            await first.LeaveAsync();
        }));
        await trial.ConcludeAsync();
    }

    private static string Upgrade(string id) => new UpgradeRequest($"/v1/ws/{id}").ToString();

    private static async Task UpgradeAsync(RawConnection connection, string id, byte[]? bytes = null)
    {
        await connection.SendAsync(Upgrade(id));
        await connection.ReadResponseAsync();
        await connection.ReadFrameAsync();
        if (bytes is not null)
            await connection.SendAsync(bytes);
    }

    private static async Task<List<string>> ReadUpToPongAsync(ChannelClient client)
    {
        await client.SendAsync(ClientFrame.Ping("all?"u8));
        List<string> texts = [];
        while (true)
        {
            Frame frame = await client.ReadFrameAsync();
            if (frame.FirstOctet == Frame.Pong)
                return texts;
            using JsonDocument json = JsonDocument.Parse(frame.PayloadText);
            texts.Add(json.RootElement.GetProperty("message").GetString()!);
        }
    }

    private static async Task<ChannelClient> JoinAsync(Trial trial, string id, string stage)
    {
        ChannelClient client = await trial.UpgradeAsync($"/v1/ws/{id}");
        Frame frame = await client.ReadFrameAsync();
        Assert.True(frame.FirstOctet == Frame.Text, $"After a fault {stage}: {frame}");
        return client;
    }
}
