using System.Net;
using System.Text.Json;

namespace ChannelServer.Conformance.Wire;

/// <summary>What a client of version 2 reads beside messages.</summary>
internal static class Version2
{
    public static Task<ChannelClient> OpenAsync(ServerUnderTest server, IPAddress? from = null, params string[] headers) =>
        ChannelClient.OpenAsync(server, from, [ChannelClient.VersionTwo, .. headers]);

    public static Task<ChannelClient> JoinAsync(ServerUnderTest server, string channelId, IPAddress? from = null, params string[] headers) =>
        ChannelClient.JoinAsync(server, channelId, from, [ChannelClient.VersionTwo, .. headers]);

    public static Task<ChannelClient> UpgradeAsync(ServerUnderTest server, string target, IPAddress? from = null) =>
        ChannelClient.UpgradeAsync(server, target, from, [ChannelClient.VersionTwo]);

    /// <summary>The next frame that is no ping and no acknowledgement, as JSON.</summary>
    public static async Task<JsonElement> ReadJsonAsync(this ChannelClient client)
    {
        while (true)
        {
            using JsonDocument json = JsonDocument.Parse(await client.ReadTextAsync());
            if (json.RootElement.GetProperty("type").GetString() != "ack")
                return json.RootElement.Clone();
        }
    }

    /// <summary>Expects an end, after acknowledgements at most, then the close frame that it announces, then the end of the stream.</summary>
    public static async Task ExpectEndFrameAsync(this ChannelClient client, string end)
    {
        Frame frame;
        do
            frame = await client.ReadFrameAsync();
        while (frame.PayloadText.StartsWith("{\"type\":\"ack\"", StringComparison.Ordinal));
        Golden.AssertFrame($"v2-end-{end}", frame);
        await client.ExpectCloseAsync($"close-{end}");
    }

    public static async Task ExpectPeerAsync(this ChannelClient client, string peer, string state)
    {
        string json = (await client.ReadJsonAsync()).GetRawText();
        Assert.StartsWith($"{{\"type\":\"peer\",\"peer\":\"{peer}\",\"state\":\"{state}\",", json, StringComparison.Ordinal);
    }

    public static async Task ExpectMessageAsync(this ChannelClient client, int seq, string peer, string message)
    {
        JsonElement json = await client.ReadJsonAsync();
        Assert.Equal("message", json.GetProperty("type").GetString());
        Assert.Equal(message, json.GetProperty("message").GetString());
        Assert.Equal(seq, json.GetProperty("seq").GetInt32());
        Assert.Equal(peer, json.GetProperty("peer").GetString());
    }

    /// <summary>Leaves with the close handshake; the answer to it is a close alone.</summary>
    public static async Task LeaveVersion2Async(this ChannelClient client)
    {
        await client.SendAsync(ClientFrame.Close(1000));
        Frame frame;
        do
            frame = await client.Connection.ReadFrameAsync();
        while (frame.FirstOctet == Frame.Ping || frame.PayloadText.StartsWith("{\"type\":\"ack\"", StringComparison.Ordinal));
        Golden.AssertFrame("close-1000", frame);
        await client.Connection.ExpectEndAsync();
    }

    /// <summary>Expects acknowledgements, each with news, up to this number.</summary>
    public static async Task ExpectAckAsync(this ChannelClient client, int received)
    {
        int last = 0;
        while (last < received)
        {
            using JsonDocument json = JsonDocument.Parse(await client.ReadTextAsync());
            Assert.Equal("ack", json.RootElement.GetProperty("type").GetString());
            int next = json.RootElement.GetProperty("received").GetInt32();
            Assert.InRange(next, last + 1, received);
            last = next;
        }
    }
}

/// <summary>
/// A client of version 1 in a channel that one of version 2 has opened. That one is told what becomes of the other's seat, so that no
/// test has to guess when the server has noticed.
/// </summary>
internal sealed record Watched(ServerUnderTest Server, ChannelClient Watcher, ChannelClient Client) : IAsyncDisposable
{
    public static async Task<Watched> OpenAsync(ServerUnderTest server, IPAddress? watcherFrom = null, IPAddress? clientFrom = null)
    {
        ChannelClient watcher = await Version2.OpenAsync(server, watcherFrom);
        ChannelClient client = await ChannelClient.JoinAsync(server, watcher.ChannelId, clientFrom);
        await watcher.ExpectPeerAsync("2", "joined");
        return new Watched(server, watcher, client);
    }

    /// <summary>The client's connection is reset, and the server knows it.</summary>
    public async Task LoseAsync()
    {
        Client.Connection.Reset();
        await Watcher.ExpectPeerAsync("2", "away");
    }

    /// <summary>The client takes its seat back.</summary>
    public Task<ChannelClient> ResumeAsync(int? received = null, IPAddress? from = null) =>
        ChannelClient.ResumeAsync(Server, Client, received, from);

    public async ValueTask DisposeAsync()
    {
        await Watcher.DisposeAsync();
        await Client.DisposeAsync();
    }
}
