using System.Net;
using System.Net.WebSockets;
using System.Text.Json;

namespace ChannelServer.Bench.KestrelWebSockets;

/// <summary>One socket. Senders take turns: a WebSocket takes one send at a time.</summary>
internal sealed class Participant
{
    private readonly SemaphoreSlim _turn = new(1);

    public Participant(WebSocket socket, IPAddress? remote, string? agent)
    {
        Socket = socket;
        Sender = JsonSerializer.SerializeToUtf8Bytes(new { remote = remote?.MapToIPv4().ToString(), ua = agent });
    }

    public WebSocket Socket { get; }

    public byte[] Sender { get; }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> text, CancellationToken abort)
    {
        await _turn.WaitAsync(abort);
        try
        {
            await Socket.SendAsync(text, WebSocketMessageType.Text, endOfMessage: true, abort);
        }
        catch (WebSocketException)
        {
            Socket.Abort(); // the receiver's own loop sees it and leaves
        }
        finally
        {
            _turn.Release();
        }
    }
}
