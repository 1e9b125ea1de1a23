using System.Buffers.Binary;
using System.Net.Sockets;
using System.Threading.Channels;

namespace ChannelServer.Reliability.Harness;

/// <summary>The TCP packets that come through the cable from one port. All are taken as they come: the kernel keeps few for one who is late.</summary>
internal sealed class PacketLog : IDisposable
{
    private readonly Socket _socket;
    private readonly int _port;
    private readonly Channel<byte[]> _packets = Channel.CreateUnbounded<byte[]>();

    public PacketLog(NetworkPair network, int port)
    {
        _socket = network.NewClientSocket(SocketType.Raw);
        _socket.ReceiveBufferSize = 4 * 1024 * 1024;
        _port = port;
        _ = ListenAsync();
    }

    /// <summary>Octets that the packet carries whose last are these; waits for it.</summary>
    public async Task<int> LastAsync(byte[] end)
    {
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(15));
        while (true)
        {
            ReadOnlyMemory<byte> ip = await _packets.Reader.ReadAsync(deadline.Token);
            // Each header tells its own length, in words of four octets.
            ReadOnlyMemory<byte> tcp = ip[((ip.Span[0] & 0x0F) * 4)..];
            ReadOnlyMemory<byte> octets = tcp[((tcp.Span[12] >> 4) * 4)..];
            if (BinaryPrimitives.ReadUInt16BigEndian(tcp.Span) == _port && octets.Span.EndsWith(end))
                return octets.Length;
        }
    }

    public void Dispose() => _socket.Dispose();

    private async Task ListenAsync()
    {
        byte[] packet = new byte[65536];
        try
        {
            while (true)
                await _packets.Writer.WriteAsync(packet[..await _socket.ReceiveAsync(packet)]);
        }
        catch (Exception end) when (end is SocketException or ObjectDisposedException)
        {
            // Nobody asks any more.
        }
    }
}
