using System.Net;
using ChannelServer.Autobahn;
using ChannelServer.Echo;

[assembly: AssemblyFixture(typeof(EchoServers))]

namespace ChannelServer.Autobahn;

/// <summary>An echo server for each engine, in this process, on ports of their own.</summary>
public sealed class EchoServers : IAsyncLifetime
{
    private readonly Dictionary<string, EchoServer> _servers = [];

    /// <summary>The engines that this system has.</summary>
    public static IReadOnlyList<string> Engines { get; } = OperatingSystem.IsLinux() ? ["epoll", "kestrel"] : ["kestrel"];

    public async ValueTask InitializeAsync()
    {
        foreach (string engine in Engines)
            _servers.Add(engine, await EchoServer.StartAsync(engine, new IPEndPoint(IPAddress.Loopback, 0), EchoServer.WideLimits));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (EchoServer server in _servers.Values)
            await server.DisposeAsync();
    }

    internal IPEndPoint this[string engine] => _servers[engine].EndPoint;
}
