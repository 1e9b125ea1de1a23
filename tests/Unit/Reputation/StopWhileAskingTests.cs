using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Tests.Reputation;

/// <summary>
/// A server that stops while upgrades wait for the reputation of their addresses. They came before the door was closed, and are the last that it has:
/// each still gets its answer.
/// </summary>
public sealed class StopWhileAskingTests
{
    public static TheoryData<Engine, bool, bool> Cases
    {
        get
        {
            TheoryData<Engine, bool, bool> cases = [];
            foreach (Engine engine in OperatingSystem.IsLinux() ? (Engine[])[Engine.Epoll, Engine.Kestrel] : [Engine.Kestrel])
            {
                foreach (bool isLate in (bool[])[false, true])
                {
                    cases.Add(engine, isLate, true);
                    cases.Add(engine, isLate, false);
                }
            }
            return cases;
        }
    }

    /// <param name="engine">The driver.</param>
    /// <param name="isLate">Whether another request of its connection came before the upgrade.</param>
    /// <param name="isWelcome">What is known of its address.</param>
    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Who_is_being_asked_about_is_answered_after_the_door_is_closed(Engine engine, bool isLate, bool isWelcome)
    {
        await using ReputationServer reputation = await ReputationServer.StartAsync();
        reputation.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (!isWelcome)
            reputation.Answers["203.0.113.7"] = """{"object":"203.0.113.7","type":"ip","reputation":1,"reviewed":false}""";
        await using RunningServer server = await RunningServer.StartAsync(RunningServer.Plain(engine) with
        {
            Shards = 2,
            IpReputationServer = reputation.Address.ToString(),
            IprepMin = 50,
            IprepTimeout = TimeSpan.FromSeconds(10),
            ShutdownTimeout = TimeSpan.FromSeconds(60),
        });
        using TcpClient client = await server.ConnectAsync();
        IPEndPoint door = (IPEndPoint)client.Client.RemoteEndPoint!;
        if (isLate)
        {
            await client.GetStream().WriteAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
            Assert.StartsWith("HTTP/1.1 200", await RunningServer.ReadHeadAsync(client), StringComparison.Ordinal);
        }
        await client.GetStream().WriteAsync(RunningServer.Upgrade("", "X-Forwarded-For: 203.0.113.7"), TestContext.Current.CancellationToken);
        while (reputation.Lookups == 0)
            await Task.Delay(10, TestContext.Current.CancellationToken);

        Task<string> stopping = server.StopAsync();
        await UntilClosedAsync(door);
        Assert.False(stopping.IsCompleted, "Somebody is still to be answered.");
        reputation.Hold.SetResult();
        Assert.StartsWith(isWelcome ? "HTTP/1.1 101" : "HTTP/1.1 403", await RunningServer.ReadHeadAsync(client), StringComparison.Ordinal);
        if (isWelcome)
            Assert.Equal("close 1001", await ReadEndAsync(client));
        client.Dispose();
        Assert.DoesNotContain("Exception", await stopping, StringComparison.Ordinal);
    }

    /// <summary>What comes last: the door is one shard's, and another that has not seen yet that it is closed greets whoever comes, and then ends.</summary>
    private static async Task<string> ReadEndAsync(TcpClient client)
    {
        string frame = await RunningServer.ReadFrameAsync(client);
        return frame.StartsWith("{\"channelid\":", StringComparison.Ordinal) ? await RunningServer.ReadFrameAsync(client) : frame;
    }

    private static async Task UntilClosedAsync(IPEndPoint door)
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
        while (true)
        {
            using Socket socket = new(door.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(door, patience.Token);
            }
            catch (SocketException)
            {
                return;
            }
            await Task.Delay(10, patience.Token);
        }
    }
}
