using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Transport.Linux;

/// <summary>A listening socket of one shard. The kernel spreads connections over all shards' sockets of one port (SO_REUSEPORT).</summary>
internal sealed class Listener : IDisposable
{
    /// <summary>Connections that may wait to be accepted; the kernel cuts it to its own limit.</summary>
    public const int Backlog = 4096;

    private Listener(int fd, IPEndPoint endPoint)
    {
        Fd = fd;
        EndPoint = endPoint;
    }

    public int Fd { get; }

    /// <summary>Where it listens, the port that the kernel chose included.</summary>
    public IPEndPoint EndPoint { get; }

    /// <summary>Opens a listener; its port may have other listeners of this user.</summary>
    /// <param name="endPoint">Where. The IPv6 any-address takes IPv4 too.</param>
    /// <exception cref="SocketException">The kernel refuses.</exception>
    public static Listener Open(IPEndPoint endPoint) => Bind(endPoint, listens: true);

    /// <summary>
    /// Finds out whether nobody listens there, other servers of the same user included, with whom a listener would silently share
    /// the port.
    /// </summary>
    /// <param name="endPoint">Where; port 0 finds a free port.</param>
    /// <returns>The end point, its port chosen.</returns>
    /// <exception cref="SocketException">Somebody does, or the kernel refuses for another reason.</exception>
    public static IPEndPoint Probe(IPEndPoint endPoint)
    {
        using Listener probe = Bind(endPoint, listens: false);
        return probe.EndPoint;
    }

    private static Listener Bind(IPEndPoint endPoint, bool listens)
    {
        bool isIPv6 = endPoint.AddressFamily == AddressFamily.InterNetworkV6;
        int fd = Check(LibC.Socket(isIPv6 ? LibC.AF_INET6 : LibC.AF_INET));
        try
        {
            Check(LibC.SetOption(fd, LibC.SOL_SOCKET, LibC.SO_REUSEADDR, 1));
            if (listens)
                Check(LibC.SetOption(fd, LibC.SOL_SOCKET, LibC.SO_REUSEPORT, 1));
            if (isIPv6)
                Check(LibC.SetOption(fd, LibC.IPPROTO_IPV6, LibC.IPV6_V6ONLY, endPoint.Address.Equals(IPAddress.IPv6Any) ? 0 : 1));
            // Accepted sockets inherit these, which saves two calls for each.
            Check(LibC.SetOption(fd, LibC.IPPROTO_TCP, LibC.TCP_NODELAY, 1));
            Check(LibC.SetOption(fd, LibC.SOL_SOCKET, LibC.SO_SNDBUF, ChannelEngine.SendBuffer));
            Check(LibC.Bind(fd, new SockAddr(endPoint.Address, endPoint.Port)));
            // The probe must not: it would take connections into its queue, and reset them when it goes.
            if (listens)
                Check(LibC.Listen(fd, Backlog));
            Check(LibC.GetSockName(fd, out SockAddr bound));
            return new Listener(fd, new IPEndPoint(endPoint.Address, bound.Port));
        }
        catch (SocketException)
        {
            _ = LibC.Close(fd);
            throw;
        }
    }

    public void Dispose() => _ = LibC.Close(Fd);

    // SocketException words errno rightly, but its SocketErrorCode is no name of the enumeration then; EngineHost knows those that matter.
    private static int Check(int result) => result >= 0 ? result : throw new SocketException(-result);
}
