using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelServer.Autobahn.Wire;

/// <summary>A connection to the echo server that has been upgraded. Every read has a deadline.</summary>
internal sealed class EchoClient : IDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(15);

    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly CancellationTokenSource _deadline =
        CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private EchoClient(Socket socket)
    {
        _socket = socket;
        _stream = new NetworkStream(socket);
        _deadline.CancelAfter(_patience);
    }

    public static async Task<EchoClient> ConnectAsync(IPEndPoint server)
    {
        Socket socket = new(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server, TestContext.Current.CancellationToken);
        EchoClient client = new(socket);
        await client.SendAsync(Encoding.ASCII.GetBytes(
            "GET / HTTP/1.1\r\nHost: echo.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
        // The response has one length, so nothing behind it is taken.
        byte[] response = await client.ReadAsync(129);
        Assert.StartsWith("HTTP/1.1 101 ", Encoding.ASCII.GetString(response), StringComparison.Ordinal);
        Assert.EndsWith(": s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", Encoding.ASCII.GetString(response), StringComparison.Ordinal);
        return client;
    }

    public async Task SendAsync(ReadOnlyMemory<byte> octets) => await _stream.WriteAsync(octets, _deadline.Token);

    public async Task<Received> ReadFrameAsync()
    {
        byte[] head = await ReadAsync(2);
        int length = head[1];
        Assert.True(length < 0x80, "A server's frame is never masked.");
        if (length == 126)
        {
            length = BinaryPrimitives.ReadUInt16BigEndian(await ReadAsync(2));
            Assert.True(length > 125, "The length is in its shortest form.");
        }
        else if (length == 127)
        {
            length = checked((int)BinaryPrimitives.ReadUInt64BigEndian(await ReadAsync(8)));
            Assert.True(length > ushort.MaxValue, "The length is in its shortest form.");
        }
        return new Received(head[0], await ReadAsync(length));
    }

    /// <summary>Expects the end of the stream: a FIN, and nothing before it.</summary>
    public async Task ExpectEndAsync() => Assert.Equal(0, await _stream.ReadAsync(new byte[1], _deadline.Token));

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
        _deadline.Dispose();
    }

    private async Task<byte[]> ReadAsync(int octets)
    {
        byte[] read = new byte[octets];
        await _stream.ReadExactlyAsync(read, _deadline.Token);
        return read;
    }
}
