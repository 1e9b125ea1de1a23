using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Telemetry;
using Microsoft.Extensions.Logging;

namespace ChannelServer.Tests;

/// <summary>The whole server in this process, with real sockets on loopback, and with its log in memory.</summary>
internal sealed class RunningServer : IAsyncDisposable
{
    private readonly MemoryStream _log = new();
    private readonly LineLoggerProvider _lines;
    private readonly ILoggerFactory _loggers;
    private readonly RelayTelemetry _telemetry;
    private readonly EngineHost _host;

    private RunningServer(Settings settings, GeoSource geo, ILoggerProvider? logger)
    {
        Assert.True(TrustedProxies.TryParse(settings.TrustedProxyList, out TrustedProxies? proxies, out _));
        _lines = new LineLoggerProvider(settings, "test", _log, TimeProvider.System);
        _loggers = logger is null
            ? _lines.CreateFactory(settings)
            : LoggerFactory.Create(logging => logging.AddProvider(_lines).AddProvider(logger));
        _telemetry = new RelayTelemetry(_loggers.CreateLogger<RelayTelemetry>(), settings.LogRemote);
        _host = EngineHost.Build(
            settings, proxies, geo, BuildVersion.Read(AppContext.BaseDirectory), _telemetry, _loggers, TimeProvider.System);
    }

    /// <summary>The engines that run on this system.</summary>
    public static TheoryData<Engine> Engines => OperatingSystem.IsLinux() ? [Engine.Epoll, Engine.Kestrel] : [Engine.Kestrel];

    /// <summary>A server on a free port of loopback that takes loopback for a proxy, sends no statistics and stops at once.</summary>
    public static Settings Plain(Engine engine) => new()
    {
        Hostname = "127.0.0.1",
        Port = 0,
        Engine = engine,
        MmdbLoc = "",
        StatsdHost = null,
        DrainWindow = TimeSpan.Zero,
        TrustedProxyList = "127.0.0.1",
    };

    /// <summary>Starts a server.</summary>
    /// <param name="settings">What is asked of it: a change of <see cref="Plain"/>.</param>
    /// <param name="geo">Where addresses are; nowhere by default.</param>
    /// <param name="logger">Hears every line too.</param>
    public static async Task<RunningServer> StartAsync(Settings settings, GeoSource? geo = null, ILoggerProvider? logger = null)
    {
        RunningServer server = new(settings, geo ?? new GeoSource(settings.DefaultLang), logger);
        await server._host.StartAsync();
        return server;
    }

    /// <summary>Stops the server.</summary>
    /// <returns>Its whole log.</returns>
    public async Task<string> StopAsync()
    {
        await _host.StopAsync(TestContext.Current.CancellationToken);
        _lines.Dispose();
        return Encoding.UTF8.GetString(_log.ToArray());
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _telemetry.Dispose();
        _loggers.Dispose();
        _lines.Dispose();
        await _log.DisposeAsync();
    }

    /// <summary>Connects to the server.</summary>
    public async Task<TcpClient> ConnectAsync()
    {
        TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(_host.Addresses.First()).Port);
        return client;
    }

    /// <summary>An upgrade request.</summary>
    /// <param name="channel">The channel to join; empty to open one.</param>
    /// <param name="fields">More header fields, each with its name.</param>
    public static byte[] Upgrade(string channel, params string[] fields) => Encoding.UTF8.GetBytes(
        $"GET /v1/ws/{channel} HTTP/1.1\r\nHost: a\r\n{string.Concat(fields.Select(static field => field + "\r\n"))}"
        + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");

    /// <summary>Reads the head of an answer, and no octet more.</summary>
    public static async Task<string> ReadHeadAsync(TcpClient client)
    {
        StringBuilder head = new();
        byte[] one = new byte[1];
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await client.GetStream().ReadExactlyAsync(one, patience.Token);
            head.Append((char)one[0]);
        }
        return head.ToString();
    }

    /// <summary>The next frame that is neither ping nor pong: its text, or the code of a close.</summary>
    public static async Task<string> ReadFrameAsync(TcpClient client)
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
        NetworkStream stream = client.GetStream();
        while (true)
        {
            byte[] head = new byte[2];
            await stream.ReadExactlyAsync(head, patience.Token);
            int length = head[1];
            if (length == 126)
            {
                byte[] extended = new byte[2];
                await stream.ReadExactlyAsync(extended, patience.Token);
                length = (extended[0] << 8) | extended[1];
            }
            byte[] payload = new byte[length];
            await stream.ReadExactlyAsync(payload, patience.Token);
            if (head[0] == 0x81)
                return Encoding.UTF8.GetString(payload);
            if (head[0] == 0x88)
                return $"close {(payload[0] << 8) | payload[1]}";
        }
    }

    /// <summary>Reads a greeting.</summary>
    /// <returns>The channel's id.</returns>
    public static async Task<string> ReadIdAsync(TcpClient client) => (await ReadGreetingAsync(client)).Id;

    /// <summary>Reads a greeting.</summary>
    /// <returns>The channel's id, and the key to the seat.</returns>
    public static async Task<(string Id, string Token)> ReadGreetingAsync(TcpClient client)
    {
        using JsonDocument greeting = JsonDocument.Parse(await ReadFrameAsync(client));
        return (greeting.RootElement.GetProperty("channelid").GetString()!, greeting.RootElement.GetProperty("resume").GetString()!);
    }

    /// <summary>Sends the message <c>a</c>, masked with zeros.</summary>
    public static Task SayAsync(TcpClient client) => client.GetStream().WriteAsync((byte[])[0x81, 0x81, 0, 0, 0, 0, (byte)'a']).AsTask();
}
