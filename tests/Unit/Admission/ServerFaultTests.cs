using System.Collections;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Telemetry;
using ChannelServer.Tests.Geo;
using Microsoft.Extensions.Logging;

namespace ChannelServer.Tests.Admission;

/// <summary>
/// Faults of ours, put into what the server calls while it serves real sockets, on either engine: each costs the channel or the connection it is met
/// in, and no other.
/// </summary>
public sealed class ServerFaultTests : IAsyncDisposable
{
    private readonly MemoryStream _log = new();
    private readonly GeoSource _geo = new("xx");
    private ChannelServerHost? _host;
    private LineLoggerProvider? _lines;
    private ILoggerFactory? _loggers;
    private RelayTelemetry? _telemetry;

    public static TheoryData<Engine> Engines => OperatingSystem.IsLinux() ? [Engine.Epoll, Engine.Kestrel] : [Engine.Kestrel];

    public async ValueTask DisposeAsync()
    {
        if (_host is not null)
            await _host.DisposeAsync();
        _telemetry?.Dispose();
        _loggers?.Dispose();
        _lines?.Dispose();
        await _log.DisposeAsync();
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_fault_while_a_message_is_relayed_ends_that_channel_with_1011_and_no_other(Engine engine)
    {
        // Met when a receiver takes any language, in the midst of the relaying of a message.
        _geo.Use(new GeoInUse(GeoFiles.Open(GeoFiles.City), new LanguageLookup(new FaultyList(), "xx")));
        IPEndPoint server = await StartAsync(engine);
        using TcpClient bystander = await EnterAsync(server, "", "198.51.100.1", "de");
        using TcpClient friend = await EnterAsync(server, await ReadIdAsync(bystander), "198.51.100.1", "de");
        await ReadIdAsync(friend);
        for (int i = 0; i < 20; i++)
        {
            using TcpClient sender = await EnterAsync(server, "", "192.0.2.1", "de");
            using TcpClient receiver = await EnterAsync(server, await ReadIdAsync(sender), "8.8.8.8", "*");
            await ReadIdAsync(receiver);
            await SayAsync(sender);
            Assert.Equal("close 1011", await ReadFrameAsync(sender));
            Assert.Equal("close 1011", await ReadFrameAsync(receiver));
            await SayAsync(bystander);
            Assert.StartsWith("{\"message\":\"a\"", await ReadFrameAsync(friend), StringComparison.Ordinal);
        }
        await StopAsync();
        Assert.Contains("ChannelFailed", Log, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_fault_gives_up_all_seats_of_its_channel(Engine engine)
    {
        _geo.Use(new GeoInUse(GeoFiles.Open(GeoFiles.City), new LanguageLookup(new FaultyList(), "xx")));
        IPEndPoint server = await StartAsync(engine);
        using TcpClient sender = await EnterAsync(server, "", "192.0.2.1", "de");
        (string id, string ofSender) = await ReadGreetingAsync(sender);
        using TcpClient receiver = await EnterAsync(server, id, "8.8.8.8", "*");
        (_, string ofReceiver) = await ReadGreetingAsync(receiver);
        using TcpClient lost = await EnterAsync(server, id, "192.0.2.1", "de");
        (_, string ofLost) = await ReadGreetingAsync(lost);
        // Back and lost again: a token that takes a seat back once shows that the refusals below are none of its own fault.
        lost.Client.Close(0);
        using TcpClient back = await EnterAsync(server, $"{id}?resume={ofLost}", "192.0.2.1", "de");
        (_, string ofBack) = await ReadGreetingAsync(back);
        back.Client.Shutdown(SocketShutdown.Send);
        await SayAsync(sender);
        Assert.Equal("close 1011", await ReadFrameAsync(sender));
        Assert.Equal("close 1011", await ReadFrameAsync(receiver));
        foreach (string token in (string[])[ofSender, ofReceiver, ofBack])
        {
            using TcpClient claim = await EnterAsync(server, $"{id}?resume={token}", "192.0.2.1", "de");
            Assert.Equal("close 4401", await ReadFrameAsync(claim));
        }
        using TcpClient newcomer = await EnterAsync(server, id, "192.0.2.1", "de");
        Assert.Equal("close 4404", await ReadFrameAsync(newcomer));
        await StopAsync();
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_fault_while_a_request_is_judged_ends_that_connection_and_no_other(Engine engine)
    {
        // Met when the log is to be told that a proxy did not name its client.
        IPEndPoint server = await StartAsync(engine, logging => logging.AddProvider(new FaultyLoggers()));
        using TcpClient bystander = await EnterAsync(server, "", "198.51.100.1", "de");
        using TcpClient friend = await EnterAsync(server, await ReadIdAsync(bystander), "198.51.100.1", "de");
        await ReadIdAsync(friend);
        using TcpClient unlucky = await ConnectAsync(server);
        await unlucky.GetStream().WriteAsync(Request("", "", "de"), TestContext.Current.CancellationToken);
        byte[] answer = new byte[100];
        int read = 0;
        try
        {
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
            read = await unlucky.GetStream().ReadAsync(answer, patience.Token);
        }
        catch (IOException)
        {
            // Cut is as good as ended.
        }
        Assert.False(Encoding.ASCII.GetString(answer, 0, read).StartsWith("HTTP/1.1 101", StringComparison.Ordinal));
        await SayAsync(bystander);
        Assert.StartsWith("{\"message\":\"a\"", await ReadFrameAsync(friend), StringComparison.Ordinal);
        using TcpClient newcomer = await EnterAsync(server, "", "198.51.100.2", "de");
        await ReadIdAsync(newcomer);
        await StopAsync();
    }

    private string Log => Encoding.UTF8.GetString(_log.ToArray());

    private async Task<IPEndPoint> StartAsync(Engine engine, Action<ILoggingBuilder>? change = null)
    {
        Settings settings = new()
        {
            Hostname = "127.0.0.1",
            Port = 0,
            Engine = engine,
            Shards = 1,
            StatsdHost = null,
            DrainWindow = TimeSpan.Zero,
            MaxExchanges = 0,
            TrustedProxyList = "127.0.0.1",
            LocalizeFor = LocalizeFor.Receiver,
        };
        Assert.True(TrustedProxies.TryParse(settings.TrustedProxyList, out TrustedProxies? proxies, out _));
        _lines = new LineLoggerProvider(settings, "test", _log, TimeProvider.System);
        _loggers = LoggerFactory.Create(logging =>
        {
            logging.AddProvider(_lines);
            change?.Invoke(logging);
        });
        _telemetry = new RelayTelemetry(_loggers.CreateLogger<RelayTelemetry>(), LogRemote.Net);
        _host = ChannelServerHost.Build(
            settings, proxies, _geo, BuildVersion.Read(AppContext.BaseDirectory), _telemetry, _loggers, TimeProvider.System);
        await _host.StartAsync();
        return new IPEndPoint(IPAddress.Loopback, new Uri(_host.Addresses.First()).Port);
    }

    private async Task StopAsync()
    {
        await _host!.StopAsync(TestContext.Current.CancellationToken);
        _lines!.Dispose();
    }

    private static async Task<TcpClient> ConnectAsync(IPEndPoint server)
    {
        TcpClient client = new();
        await client.ConnectAsync(server);
        return client;
    }

    private static byte[] Request(string channel, string from, string languages) => Encoding.ASCII.GetBytes(
        $"GET /v1/ws/{channel} HTTP/1.1\r\nHost: a\r\n{(from.Length > 0 ? $"X-Forwarded-For: {from}\r\n" : "")}Accept-Language: {languages}\r\n"
        + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");

    private static async Task<TcpClient> EnterAsync(IPEndPoint server, string channel, string from, string languages)
    {
        TcpClient client = await ConnectAsync(server);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(Request(channel, from, languages));
        StringBuilder head = new();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one);
            head.Append((char)one[0]);
        }
        Assert.StartsWith("HTTP/1.1 101", head.ToString(), StringComparison.Ordinal);
        return client;
    }

    private static async Task<string> ReadIdAsync(TcpClient client) => (await ReadGreetingAsync(client)).Id;

    private static async Task<(string Id, string Token)> ReadGreetingAsync(TcpClient client)
    {
        using JsonDocument greeting = JsonDocument.Parse(await ReadFrameAsync(client));
        return (greeting.RootElement.GetProperty("channelid").GetString()!, greeting.RootElement.GetProperty("resume").GetString()!);
    }

    /// <summary>One text message, masked with zeros.</summary>
    private static Task SayAsync(TcpClient client) => client.GetStream().WriteAsync((byte[])[0x81, 0x81, 0, 0, 0, 0, (byte)'a']).AsTask();

    /// <summary>The next frame that is neither ping nor pong: its text, or the code of a close.</summary>
    private static async Task<string> ReadFrameAsync(TcpClient client)
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

    private sealed class FaultyList : IReadOnlyList<string>
    {
        public int Count => 1;

        public string this[int index] => throw new InvalidOperationException("a fault put here by a test");

        public IEnumerator<string> GetEnumerator() => throw new InvalidOperationException("a fault put here by a test");

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class FaultyLoggers : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception).Contains("address unknown", StringComparison.Ordinal))
                throw new InvalidOperationException("a fault put here by a test");
        }

        public void Dispose()
        {
        }
    }
}
