using System.Net.Sockets;
using System.Text.Json;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Reliability.Harness;

/// <summary>A channel of three: one who speaks, one who hears it beside the server, and one behind the cable, whose link is slow or who does not read.</summary>
internal sealed class Party(ChannelClient sender, ChannelClient reader, ChannelClient slow) : IAsyncDisposable
{
    /// <summary>Of the connections that every trial makes before it begins, one is reset.</summary>
    private const int LostBefore = 1;

    public ChannelClient Sender => sender;

    public ChannelClient Reader => reader;

    public ChannelClient Slow => slow;

    /// <summary>Starts a server for parties.</summary>
    public static Task<Trial> HostAsync(NetworkPair network) => Trial.StartAsync(new TrialOptions
    {
        Network = network,
        Prefix = network.ServerPrefix,
        // The addresses of these networks would be taken for proxies, and a third client is let in from a known address only.
        Settings = ["--trusted_proxy_list=none"],
        IsCalm = true,
    });

    /// <param name="receiveBuffer">Of the one behind the cable; else the kernel chooses, now this and now that.</param>
    public static async Task<Party> GatherAsync(Trial trial, NetworkPair network, int? receiveBuffer = null)
    {
        ChannelClient sender = await trial.OpenAsync();
        Socket socket = network.NewClientSocket();
        if (receiveBuffer is { } octets)
            socket.ReceiveBufferSize = octets;
        ChannelClient slow = await ChannelClient.UpgradeAsync(await RawConnection.OverAsync(socket, trial.Server.Address), $"/v1/ws/{sender.ChannelId}");
        await slow.ReadGreetingAsync();
        return new Party(sender, await trial.JoinAsync(sender.ChannelId), slow);
    }

    /// <summary>Nobody of any party was ended by the server.</summary>
    public static void AssertAllLeft(Trial trial) =>
        Assert.True(trial.Statsd.Ended == trial.Statsd.EndedBy("client_closed") + LostBefore, $"Not all left of their own will. {trial.Statsd}");

    /// <summary>Says something, and sees that the one beside the server has it at once.</summary>
    public async Task SayAsync(string text)
    {
        await sender.SendTextAsync(text);
        await reader.ExpectMessagesAsync(text);
    }

    /// <summary>The message of the next envelope, which may take its time. The others wait, and answer pings.</summary>
    /// <param name="client">Who is to get it.</param>
    public async Task<string> ReadSlowlyAsync(ChannelClient client)
    {
        Task<string> reading = ReadPatientlyAsync(client);
        while (await Task.WhenAny(reading, Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken)) != reading)
        {
            if (client == slow)
                await Task.WhenAll(sender.ExpectNothingAsync(), reader.ExpectNothingAsync());
        }
        return await reading;
    }

    public async Task LeaveAsync()
    {
        await sender.LeaveAsync();
        await reader.LeaveAsync();
        await slow.LeaveAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await sender.DisposeAsync();
        await reader.DisposeAsync();
        await slow.DisposeAsync();
    }

    private static async Task<string> ReadPatientlyAsync(ChannelClient client)
    {
        while (true)
        {
            Frame frame = await client.Connection.ReadFrameAsync(TimeSpan.FromSeconds(60));
            if (frame.FirstOctet == Frame.Ping)
            {
                await client.SendAsync(ClientFrame.Pong(frame.Payload));
                continue;
            }
            Assert.True(frame.FirstOctet == Frame.Text, $"Expected an envelope, got: {frame}");
            using JsonDocument json = JsonDocument.Parse(frame.Payload);
            return json.RootElement.GetProperty("message").GetString()!;
        }
    }
}
