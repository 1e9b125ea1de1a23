using System.Net.Sockets;
using System.Runtime.InteropServices;
using ChannelServer.Transport.Linux;

namespace ChannelServer.Transport;

/// <summary>How far the other end of a TCP connection has come, as Linux tells it in <c>struct tcp_info</c>, tcp(7).</summary>
internal static class TcpProgress
{
    private const int IPPROTO_TCP = 6;
    private const int TCP_INFO = 11;

    /// <summary>Of <c>tcpi_bytes_acked</c>; there since Linux 4.1.</summary>
    private const int AcknowledgedOffset = 120;

    private const int Size = AcknowledgedOffset + sizeof(ulong);

    /// <summary>Octets that the other end has acknowledged; 0 where the system does not tell.</summary>
    public static ulong Acknowledged(int fd)
    {
        Span<byte> info = stackalloc byte[Size];
        return Read(info, LibC.GetOption(fd, IPPROTO_TCP, TCP_INFO, info));
    }

    /// <summary>The same; 0 where the system is another, or the socket is closed.</summary>
    public static ulong Acknowledged(Socket socket)
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        Span<byte> info = stackalloc byte[Size];
        try
        {
            return Read(info, socket.GetRawSocketOption(IPPROTO_TCP, TCP_INFO, info));
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            return 0;
        }
    }

    private static ulong Read(ReadOnlySpan<byte> info, int length) => length == Size ? MemoryMarshal.Read<ulong>(info[AcknowledgedOffset..]) : 0;
}
