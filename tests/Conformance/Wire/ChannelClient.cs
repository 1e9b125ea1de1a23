using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;

namespace ChannelServer.Conformance.Wire;

/// <summary>A client on a <see cref="RawConnection"/>: the upgrade, the greeting, messages, the close. Of version 1, unless its headers say otherwise.</summary>
internal sealed class ChannelClient : IAsyncDisposable
{
    /// <summary>The header that asks for version 2.</summary>
    public const string VersionTwo = "Sec-WebSocket-Protocol: channelserver.v2";

    private ChannelClient(RawConnection connection) => Connection = connection;

    public RawConnection Connection { get; }

    /// <summary>The id that the greeting told; empty for a client that was refused.</summary>
    public string ChannelId { get; private set; } = "";

    /// <summary>The token that the greeting told; empty where there is no resume.</summary>
    public string Token { get; private set; } = "";

    /// <summary>The greeting, as it came.</summary>
    public Frame Greeting { get; private set; }

    /// <summary>How many of this seat's messages the greeting said the server has; null where it did not say.</summary>
    public int? Received { get; private set; }

    /// <summary>Opens a new channel.</summary>
    public static Task<ChannelClient> OpenAsync(ServerUnderTest server, IPAddress? from = null, params string[] headers) =>
        EnterAsync(server, "/v1/ws/", from, headers);

    /// <summary>Joins a channel, and expects to be let in.</summary>
    public static Task<ChannelClient> JoinAsync(ServerUnderTest server, string channelId, IPAddress? from = null, params string[] headers) =>
        EnterAsync(server, $"/v1/ws/{channelId}", from, headers);

    /// <summary>Takes the seat of an earlier client back, and expects to get it.</summary>
    public static Task<ChannelClient> ResumeAsync(
        ServerUnderTest server, ChannelClient earlier, int? received = null, IPAddress? from = null, params string[] headers) =>
        EnterAsync(server, ResumeTarget(earlier.ChannelId, earlier.Token, received), from, headers);

    /// <summary>Asks for the seat of an earlier client with its token, and expects the one answer of a refusal.</summary>
    public static async Task ExpectNoResumeAsync(ServerUnderTest server, ChannelClient earlier, int? received = null, params string[] headers)
    {
        await using ChannelClient refused = await UpgradeAsync(
            server, ResumeTarget(earlier.ChannelId, earlier.Token, received), headers: headers);
        await refused.ExpectCloseAsync("close-4401");
    }

    /// <summary>Asks for a seat in a channel, and expects to be turned away.</summary>
    public static async Task ExpectNoSeatAsync(ServerUnderTest server, string channelId, string close, IPAddress? from = null)
    {
        await using ChannelClient refused = await UpgradeAsync(server, $"/v1/ws/{channelId}", from);
        await refused.ExpectCloseAsync(close);
    }

    public static string ResumeTarget(string channelId, string token, int? received = null) => received is null
        ? $"/v1/ws/{channelId}?resume={token}"
        : string.Create(CultureInfo.InvariantCulture, $"/v1/ws/{channelId}?resume={token}&received={received}");

    /// <summary>Upgrades, but reads nothing after the 101: for those who expect a refusal.</summary>
    public static async Task<ChannelClient> UpgradeAsync(
        ServerUnderTest server, string target, IPAddress? from = null, string[]? headers = null, int? receiveBuffer = null)
    {
        return await UpgradeAsync(await RawConnection.ConnectAsync(server.Address, from, receiveBuffer), target, headers);
    }

    /// <summary>Upgrades a connection that is there already.</summary>
    public static async Task<ChannelClient> UpgradeAsync(RawConnection connection, string target, string[]? headers = null)
    {
        await connection.SendAsync(new UpgradeRequest(target).With(headers ?? []).ToBytes());
        HttpResponse response = await connection.ReadResponseAsync();
        Assert.Equal(101, response.Status);
        return new ChannelClient(connection);
    }

    /// <summary>Takes over a connection whose 101 has been read.</summary>
    public static async Task<ChannelClient> GreetedAsync(RawConnection connection)
    {
        ChannelClient client = new(connection);
        await client.ReadGreetingAsync();
        return client;
    }

    public async Task ReadGreetingAsync()
    {
        Greeting = await ReadFrameAsync();
        Assert.True(Greeting.FirstOctet == Frame.Text, $"Expected a greeting, got: {Greeting}");
        using JsonDocument json = JsonDocument.Parse(Greeting.Payload);
        ChannelId = json.RootElement.GetProperty("channelid").GetString()!;
        Token = json.RootElement.TryGetProperty("resume", out JsonElement token) ? token.GetString()! : "";
        Received = json.RootElement.TryGetProperty("received", out JsonElement received) ? received.GetInt32() : null;
    }

    public Task SendTextAsync(params string[] texts) => Connection.SendAsync([.. texts.Select(ClientFrame.Text)]);

    public Task SendAsync(params byte[][] parts) => Connection.SendAsync(parts);

    /// <summary>The next frame that is no ping; pings are answered, as every client does.</summary>
    public Task<Frame> ReadFrameAsync(TimeSpan? within = null) => ReadPastAsync(static _ => true, within ?? RawConnection.Patience);

    /// <summary>The next frame that is no heartbeat. Those come at any time, and are answered; pings with a number are for the caller.</summary>
    public Task<Frame> ReadPastHeartbeatsAsync() => ReadPastAsync(static ping => ping.Payload.Length == 0, RawConnection.Patience);

    public async Task<string> ReadTextAsync()
    {
        Frame frame = await ReadFrameAsync();
        Assert.True(frame.FirstOctet == Frame.Text, $"Expected a text frame, got: {frame}");
        return frame.PayloadText;
    }

    /// <summary>The <c>message</c> of the next envelope.</summary>
    public async Task<string> ReadMessageAsync()
    {
        string envelope = await ReadTextAsync();
        using JsonDocument json = JsonDocument.Parse(envelope);
        return json.RootElement.GetProperty("message").GetString()!;
    }

    /// <summary>The <c>sender</c> of the next envelope, as JSON text.</summary>
    public async Task<string> ReadSenderAsync()
    {
        string envelope = await ReadTextAsync();
        using JsonDocument json = JsonDocument.Parse(envelope);
        return json.RootElement.GetProperty("sender").GetRawText();
    }

    public async Task ExpectMessagesAsync(params string[] messages)
    {
        foreach (string message in messages)
            Assert.Equal(message, await ReadMessageAsync());
    }

    /// <summary>Expects a close frame, byte for byte that of a golden file, and behind it a clean end of stream.</summary>
    public async Task ExpectCloseAsync(string golden, TimeSpan? within = null)
    {
        Frame frame = await ReadFrameAsync(within);
        Golden.AssertFrame(golden, frame);
        await Connection.ExpectEndAsync();
    }

    /// <summary>Expects a ping with this number, and nothing before it but heartbeats. Does not answer it.</summary>
    public async Task ExpectNumberAsync(int number)
    {
        Frame frame = await ReadPastHeartbeatsAsync();
        Assert.True(
            frame.FirstOctet == Frame.Ping && frame.PayloadText == number.ToString(CultureInfo.InvariantCulture),
            $"Expected the ping of number {number}, got: {frame}");
    }

    /// <summary>Says that everything up to this number has been received.</summary>
    public Task AcknowledgeAsync(int number) =>
        SendAsync(ClientFrame.Pong(Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture))));

    /// <summary>Expects an envelope with this message and behind it the ping with its number; answers neither.</summary>
    public async Task ExpectNumberedAsync(int number, string message)
    {
        Frame frame = await ReadPastHeartbeatsAsync();
        Assert.True(frame.FirstOctet == Frame.Text, $"Expected \"{message}\", got: {frame}");
        using JsonDocument json = JsonDocument.Parse(frame.Payload);
        Assert.Equal(message, json.RootElement.GetProperty("message").GetString());
        await ExpectNumberAsync(number);
    }

    /// <summary>Proves that nothing waits for this client, and that its session lives: a ping's answer is the next frame.</summary>
    public async Task ExpectNothingAsync()
    {
        await SendAsync(ClientFrame.Ping("nothing?"u8));
        Frame frame = await ReadFrameAsync();
        Assert.True(frame.FirstOctet == Frame.Pong && frame.PayloadText == "nothing?", $"Expected nothing, got: {frame}");
    }

    /// <summary>Leaves with the close handshake, and returns when the server has closed too.</summary>
    public async Task LeaveAsync()
    {
        await SendAsync(ClientFrame.Close(1000));
        // A ping may have crossed the close. Its pong would find a closed socket, and be answered with a reset.
        Frame frame;
        do
            frame = await Connection.ReadFrameAsync();
        while (frame.FirstOctet == Frame.Ping);
        Golden.AssertFrame("close-1000", frame);
        await Connection.ExpectEndAsync();
    }

    public ValueTask DisposeAsync() => Connection.DisposeAsync();

    private static async Task<ChannelClient> EnterAsync(ServerUnderTest server, string target, IPAddress? from, string[] headers)
    {
        ChannelClient client = await UpgradeAsync(server, target, from, headers);
        await client.ReadGreetingAsync();
        return client;
    }

    /// <summary>Answers the pings of a kind, and returns the first frame that is none.</summary>
    private async Task<Frame> ReadPastAsync(Func<Frame, bool> isPassed, TimeSpan within)
    {
        // One deadline for all: a server that only pings is not answering.
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            TimeSpan left = within - waited.Elapsed;
            Frame frame = await Connection.ReadFrameAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            if (frame.FirstOctet != Frame.Ping || !isPassed(frame))
                return frame;
            await Connection.SendAsync(ClientFrame.Pong(frame.Payload));
        }
    }
}
