using System.Net;
using System.Net.Sockets;
using ChannelServer.Admission;
using ChannelServer.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests.Transport;

/// <summary>Connections that come faster than anybody looks at them stay in the kernel's queue.</summary>
public sealed class PoliteListenerTests
{
    private const int Most = 4;

    private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(2);

    private readonly FakeTimeProvider _time = new();
    private readonly ConnectionCap _sockets = new(Most);
    private int _roomMade;

    [Fact]
    public async Task No_more_are_accepted_than_there_are_descriptors_for_until_somebody_has_gone()
    {
        PoliteListenerFactory factory = new(
            new SocketConnectionFactoryOptions(), _sockets, () => _roomMade++, new AcceptFailures(NullLogger.Instance, _time), _time, NullLogger.Instance);
        await using IConnectionListener listener = await factory.BindAsync(new IPEndPoint(IPAddress.Loopback, 0), TestContext.Current.CancellationToken);
        List<Socket> clients = [];
        List<ConnectionContext> accepted = [];
        for (int i = 0; i < Most + ConnectionCap.Ahead + 3; i++)
        {
            clients.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
            await clients[i].ConnectAsync(listener.EndPoint, TestContext.Current.CancellationToken);
        }

        for (int i = 0; i < Most + ConnectionCap.Ahead; i++)
            accepted.Add(Assert.IsType<ConnectionContext>(await listener.AcceptAsync(TestContext.Current.CancellationToken), exactMatch: false));
        Task<ConnectionContext?> next = listener.AcceptAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.False(next.IsCompleted);
        Assert.Equal((Most + ConnectionCap.Ahead, 1), (_sockets.Count, _roomMade));
        _time.Advance(_pause);
        Assert.False(next.IsCompleted);
        Assert.Equal(2, _roomMade);

        _sockets.Leave();
        _time.Advance(_pause);
        accepted.Add(Assert.IsType<ConnectionContext>(await next, exactMatch: false));
        Assert.Equal((Most + ConnectionCap.Ahead, 2), (_sockets.Count, _roomMade));

        // Nor does one who waits for room keep the server from stopping.
        next = listener.AcceptAsync(TestContext.Current.CancellationToken).AsTask();
        Task unbinding = listener.UnbindAsync(TestContext.Current.CancellationToken).AsTask();
        Assert.Null(await next);
        foreach (Socket client in clients)
            client.Dispose();
        await unbinding;
        foreach (ConnectionContext connection in accepted)
            await connection.DisposeAsync();
    }
}
