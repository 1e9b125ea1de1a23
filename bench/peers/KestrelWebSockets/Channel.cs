using System.Buffers;
using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace ChannelServer.Bench.KestrelWebSockets;

internal sealed class Channel
{
    private const int Seats = 3;
    private const int MaxMessage = 65536;
    private static readonly JavaScriptEncoder _encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, Channel> _channels;
    private readonly string _id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16));
    private ImmutableArray<Participant> _members = [];

    private Channel(ConcurrentDictionary<string, Channel> channels)
    {
        _channels = channels;
        _channels[_id] = this;
    }

    public static Channel Open(ConcurrentDictionary<string, Channel> channels) => new(channels);

    public bool TryJoin(Participant participant)
    {
        lock (_gate)
        {
            if (_members.Length == Seats)
                return false;
            _members = _members.Add(participant);
            return true;
        }
    }

    public async Task ServeAsync(Participant participant, CancellationToken abort)
    {
        WebSocket socket = participant.Socket;
        try
        {
            await participant.SendAsync(Encoding.ASCII.GetBytes($$"""{"channelid":"{{_id}}","link":"/v1/ws/{{_id}}"}"""), abort);
            ArrayBufferWriter<byte> envelope = new();
            while (true)
            {
                // A read of nothing waits without holding a buffer.
                ValueWebSocketReceiveResult received = await socket.ReceiveAsync(Memory<byte>.Empty, abort);
                byte[] buffer = ArrayPool<byte>.Shared.Rent(MaxMessage);
                try
                {
                    int length = 0;
                    while (received.MessageType != WebSocketMessageType.Close && (length == 0 || !received.EndOfMessage))
                    {
                        received = await socket.ReceiveAsync(buffer.AsMemory(length), abort);
                        length += received.Count;
                        if (length == buffer.Length || (received.EndOfMessage && length == 0))
                            break;
                    }
                    if (received.MessageType == WebSocketMessageType.Close)
                    {
                        await socket.CloseOutputAsync(socket.CloseStatus ?? WebSocketCloseStatus.Empty, null, abort);
                        return;
                    }
                    await RelayAsync(participant, Encode(envelope, buffer.AsSpan(0, length), participant.Sender), abort);
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            }
        }
        catch (Exception reset) when (reset is WebSocketException or OperationCanceledException)
        {
            socket.Abort();
        }
        finally
        {
            Leave(participant);
        }
    }

    private static ReadOnlyMemory<byte> Encode(ArrayBufferWriter<byte> envelope, ReadOnlySpan<byte> text, byte[] sender)
    {
        text = text.Trim(" \t\r\n"u8);
        envelope.ResetWrittenCount();
        envelope.Write("{\"message\":\""u8);
        if (_encoder.FindFirstCharacterToEncodeUtf8(text) < 0)
            envelope.Write(text);
        else
            envelope.Write(JsonEncodedText.Encode(text, _encoder).EncodedUtf8Bytes);
        envelope.Write("\",\"sender\":"u8);
        envelope.Write(sender);
        envelope.Write("}"u8);
        return envelope.WrittenMemory;
    }

    private async ValueTask RelayAsync(Participant from, ReadOnlyMemory<byte> envelope, CancellationToken abort)
    {
        foreach (Participant member in _members)
        {
            if (member != from)
                await member.SendAsync(envelope, abort);
        }
    }

    private void Leave(Participant participant)
    {
        lock (_gate)
        {
            _members = _members.Remove(participant);
            if (_members.IsEmpty)
                _channels.TryRemove(_id, out _);
        }
    }
}
