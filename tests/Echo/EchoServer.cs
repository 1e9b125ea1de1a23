using System.Net;
using ChannelServer.WebSockets;

namespace ChannelServer.Echo;

/// <summary>
/// Sends every message back. It reads and writes with the server's codec, on the sockets of one of its engines; the relay has no part in it.
/// </summary>
internal abstract class EchoServer : IAsyncDisposable
{
    /// <summary>What Autobahn's section 9 needs: messages of 16 MiB, in fragments of 64 octets.</summary>
    public static readonly FrameLimits WideLimits = new(MaxMessage: 16 * 1024 * 1024, MaxFragments: int.MaxValue, AcceptsBinary: true);

    /// <summary>How long a client that has been told the end may take to close.</summary>
    protected static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Where it listens.</summary>
    public abstract IPEndPoint EndPoint { get; }

    public static async Task<EchoServer> StartAsync(string engine, IPEndPoint endPoint, FrameLimits limits) => engine switch
    {
        "epoll" => new EpollEcho(endPoint, limits),
        "kestrel" => await KestrelEcho.StartAsync(endPoint, limits),
        _ => throw new ArgumentException($"{engine} is no engine: epoll, kestrel"),
    };

    public abstract ValueTask DisposeAsync();
}
