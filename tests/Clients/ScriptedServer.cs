using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Threading.Channels;
using ChannelServer.Conformance;

namespace ChannelServer.Clients;

/// <summary>A WebSocket server that says what a test tells it to, for what a channel server does not do on request.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly Channel<ScriptedConnection> _connections = Channel.CreateUnbounded<ScriptedConnection>();
    private readonly Task _accepting;

    public ScriptedServer()
    {
        int port = ServerProcess.FreePort();
        Url = new Uri($"ws://127.0.0.1:{port}/pairing?region=eu");
        _listener.Prefixes.Add($"http://127.0.0.1:{port}/");
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Url { get; }

    /// <summary>The subprotocol that is chosen; null for none, as by a server that knows version 1 alone.</summary>
    public string? Subprotocol { get; set; } = "channelserver.v2";

    /// <summary>What upgrades are answered with, one after the other, before the next is let in.</summary>
    public ConcurrentQueue<int> Refusals { get; } = [];

    /// <summary>Connections that nobody has asked for.</summary>
    public int Waiting => _connections.Reader.Count;

    public async Task<ScriptedConnection> NextAsync() => await _connections.Reader.ReadAsync().AsTask().WaitAsync(Talk.Patience);

    public async ValueTask DisposeAsync()
    {
        _listener.Close();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception stopped) when (stopped is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
            try
            {
                await AnswerAsync(context);
            }
            catch (Exception gone) when (gone is HttpListenerException or WebSocketException or IOException or ObjectDisposedException)
            {
                // A client may have given up meanwhile. It comes again, or another does.
                context.Response.Abort();
            }
        }
    }

    private async Task AnswerAsync(HttpListenerContext context)
    {
        if (Refusals.TryDequeue(out int status))
        {
            context.Response.StatusCode = status;
            if (status == 503)
                context.Response.AddHeader("Retry-After", "7");
            context.Response.Close();
            return;
        }
        HttpListenerWebSocketContext accepted = await context.AcceptWebSocketAsync(Subprotocol);
        _connections.Writer.TryWrite(new ScriptedConnection(accepted.WebSocket, context));
    }
}

/// <summary>One connection of a <see cref="ScriptedServer"/>.</summary>
internal sealed class ScriptedConnection(WebSocket socket, HttpListenerContext context)
{
    public string Target { get; } = context.Request.Url!.PathAndQuery;

    public Task SayAsync(string frame) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(frame), WebSocketMessageType.Text, true, CancellationToken.None);

    public Task GreetAsync(int received = 0, char token = '0') => SayAsync(
        $$"""{"type":"greeting","channelid":"AAAAAAAAAAAAAAAAAAAAAA","link":"/v1/ws/AAAAAAAAAAAAAAAAAAAAAA","resume":"{{new string(token, 32)}}","expires_in":300,"max_exchanges":10,"max_data":0,"max_message":65536,"received":{{received}},"peers":[]}""");

    public Task MessageAsync(int number, string text) =>
        SayAsync($$"""{"type":"message","seq":{{number}},"peer":"2","message":"{{text}}","sender":{} }""");

    public async Task<string> ReadAsync()
    {
        byte[] buffer = new byte[1024];
        using CancellationTokenSource deadline = new(Talk.Patience);
        WebSocketReceiveResult part = await socket.ReceiveAsync(buffer, deadline.Token);
        return Encoding.UTF8.GetString(buffer, 0, part.Count);
    }

    // The WebSocket of an HttpListener leaves the connection open when it is aborted.
    public void Cut() => context.Response.Abort();
}
