using System.Net.Sockets;
using static ChannelServer.Tests.RunningServer;

namespace ChannelServer.Tests.Http;

/// <summary>Upgrades that are not the first request of their connection, on either engine.</summary>
public sealed class LateUpgradeTests
{
    public static TheoryData<Engine> Engines => RunningServer.Engines;

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_late_upgrade_tells_the_place_that_the_load_balancer_names_in_any_script(Engine engine)
    {
        await using RunningServer server = await StartAsync(Plain(engine));
        using TcpClient receiver = await server.ConnectAsync();
        await receiver.GetStream().WriteAsync(Upgrade("", "X-Forwarded-For: 192.0.2.1"), TestContext.Current.CancellationToken);
        await ReadHeadAsync(receiver);
        string channel = await ReadIdAsync(receiver);

        using TcpClient sender = await server.ConnectAsync();
        await sender.GetStream().WriteAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.StartsWith("HTTP/1.1 200", await ReadHeadAsync(sender), StringComparison.Ordinal);
        await sender.GetStream().WriteAsync(
            Upgrade(channel, "X-Forwarded-For: 192.0.2.1", "X-Client-Geo-Location: São Paulo,東京"), TestContext.Current.CancellationToken);
        Assert.StartsWith("HTTP/1.1 101", await ReadHeadAsync(sender), StringComparison.Ordinal);
        await ReadIdAsync(sender);
        await SayAsync(sender);
        Assert.Equal(
            """{"message":"a","sender":{"city":"東京","region":"São Paulo","remote":"192.0.2.1"}}""", await ReadFrameAsync(receiver));
    }
}
