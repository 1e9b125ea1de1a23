using System.Net;
using System.Net.WebSockets;

namespace ChannelServer.Client;

/// <summary>One WebSocket. A loss is a value here, since it is expected. One reader and one writer at a time.</summary>
internal sealed class Connection : IDisposable
{
    public const string Subprotocol = "channelserver.v2";

    // A frame is a message, escaped as JSON, and its sender. This is far beyond what a server can be set to.
    private const int MaxFrame = 128 << 20;

    private readonly ClientWebSocket _socket;
    private byte[] _buffer = new byte[4096];

    private Connection(ClientWebSocket socket) => _socket = socket;

    public int Version => _socket.SubProtocol == Subprotocol ? 2 : 1;

    /// <summary>The code of the server's close frame, once that has come; else 1006.</summary>
    public int CloseCode => (int?)_socket.CloseStatus ?? 1006;

    public string CloseReason => _socket.CloseStatusDescription ?? "";

    /// <summary>One attempt. Whether a refusal is worth another is the caller's affair.</summary>
    public static async Task<Attempt> OpenAsync(Uri address, ChannelClientOptions options, CancellationToken cancellation)
    {
        ClientWebSocket socket = new();
        try
        {
            socket.Options.AddSubProtocol(Subprotocol);
            socket.Options.KeepAliveInterval = options.KeepAliveInterval;
            socket.Options.KeepAliveTimeout = options.KeepAliveTimeout;
            socket.Options.CollectHttpResponseDetails = true;
            options.Configure?.Invoke(socket.Options);
            await socket.ConnectAsync(address, cancellation).ConfigureAwait(false);
            return new Attempt(new Connection(socket), default, null, null);
        }
        catch (WebSocketException failure)
        {
            HttpStatusCode? status = socket.HttpStatusCode is 0 or HttpStatusCode.SwitchingProtocols ? null : socket.HttpStatusCode;
            TimeSpan retryAfter = RetryAfterOf(socket);
            socket.Dispose();
            return new Attempt(null, retryAfter, status, failure);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The next frame; null at the end of the connection, however it ended.</summary>
    public async ValueTask<ServerFrame?> ReadAsync(CancellationToken cancellation)
    {
        try
        {
            int length = 0;
            while (true)
            {
                if (length == _buffer.Length)
                    Grow();
                ValueWebSocketReceiveResult part = await _socket.ReceiveAsync(_buffer.AsMemory(length), cancellation).ConfigureAwait(false);
                if (part.MessageType == WebSocketMessageType.Close)
                    return null;
                length += part.Count;
                if (part.EndOfMessage)
                    return ServerFrame.Parse(_buffer.AsMemory(0, length), Version);
            }
        }
        catch (Exception lost) when (lost is WebSocketException || (lost is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            // The latter is how a ClientWebSocket tells that a ping was not answered.
            return null;
        }
    }

    /// <summary>Whether the connection took the message.</summary>
    public async ValueTask<bool> SendAsync(byte[] text, CancellationToken cancellation)
    {
        try
        {
            await _socket.SendAsync(text, WebSocketMessageType.Text, true, cancellation).ConfigureAwait(false);
            return true;
        }
        catch (Exception lost) when (IsLoss(lost) || (lost is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return false;
        }
    }

    /// <summary>Says that this end leaves. The answer comes to the reader.</summary>
    public async Task LeaveAsync(CancellationToken cancellation)
    {
        try
        {
            await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellation).ConfigureAwait(false);
        }
        catch (Exception lost) when (IsLoss(lost))
        {
            // The reader notices.
        }
    }

    /// <summary>Without a close frame: that would give the seat up.</summary>
    public void Dispose()
    {
        _socket.Abort();
        _socket.Dispose();
    }

    // What a ClientWebSocket throws when the other direction has found the connection broken, or has read the close.
    private static bool IsLoss(Exception exception) => exception is WebSocketException or ObjectDisposedException or InvalidOperationException;

    private static TimeSpan RetryAfterOf(ClientWebSocket socket) =>
        socket.HttpResponseHeaders is { } headers
        && headers.TryGetValue("Retry-After", out IEnumerable<string>? values)
        && int.TryParse(values.FirstOrDefault(), out int seconds) && seconds is >= 0 and <= 3600
            ? TimeSpan.FromSeconds(seconds)
            : TimeSpan.Zero;

    private void Grow()
    {
        if (_buffer.Length >= MaxFrame)
            throw new ProtocolException("a frame beyond all limits");
        Array.Resize(ref _buffer, _buffer.Length * 2);
    }
}

/// <summary>What came of an attempt to connect: a connection, or why there is none.</summary>
internal readonly record struct Attempt(Connection? Connection, TimeSpan RetryAfter, HttpStatusCode? Status, Exception? Failure)
{
    /// <summary>Whether the answer would most likely be the same the next time.</summary>
    public bool IsRefusal => Status is { } status
        && status is not (HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests) && (int)status < 500;
}
