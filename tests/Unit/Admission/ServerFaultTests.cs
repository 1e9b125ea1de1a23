using System.Collections;
using System.Net.Sockets;
using System.Text;
using ChannelServer.Geo;
using ChannelServer.Tests.Geo;
using Microsoft.Extensions.Logging;
using static ChannelServer.Tests.RunningServer;

namespace ChannelServer.Tests.Admission;

/// <summary>
/// Faults of ours, put into what the server calls while it serves real sockets, on either engine: each costs the channel or the connection it is met
/// in, and no other.
/// </summary>
public sealed class ServerFaultTests
{
    private readonly GeoSource _geo = new("xx");

    public static TheoryData<Engine> Engines => RunningServer.Engines;

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_fault_while_a_message_is_relayed_ends_that_channel_with_1011_and_no_other(Engine engine)
    {
        // Met when a receiver takes any language, in the midst of the relaying of a message.
        _geo.Use(new GeoInUse(GeoFiles.Open(GeoFiles.City), new LanguageLookup(new FaultyList(), "xx")));
        await using RunningServer server = await RunAsync(engine);
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
        Assert.Contains("ChannelFailed", await server.StopAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_fault_gives_up_all_seats_of_its_channel(Engine engine)
    {
        _geo.Use(new GeoInUse(GeoFiles.Open(GeoFiles.City), new LanguageLookup(new FaultyList(), "xx")));
        await using RunningServer server = await RunAsync(engine);
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
        await server.StopAsync();
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_fault_while_a_request_is_judged_ends_that_connection_and_no_other(Engine engine)
    {
        // Met when the log is to be told that a proxy did not name its client.
        using FaultyLoggers loggers = new();
        await using RunningServer server = await RunAsync(engine, loggers);
        using TcpClient bystander = await EnterAsync(server, "", "198.51.100.1", "de");
        using TcpClient friend = await EnterAsync(server, await ReadIdAsync(bystander), "198.51.100.1", "de");
        await ReadIdAsync(friend);
        using TcpClient unlucky = await server.ConnectAsync();
        await unlucky.GetStream().WriteAsync(Upgrade(""), TestContext.Current.CancellationToken);
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
        await server.StopAsync();
    }

    private Task<RunningServer> RunAsync(Engine engine, ILoggerProvider? logger = null) => RunningServer.StartAsync(
        RunningServer.Plain(engine) with { Shards = 1, MaxExchanges = 0, LocalizeFor = LocalizeFor.Receiver }, _geo, logger);

    private static async Task<TcpClient> EnterAsync(RunningServer server, string channel, string from, string languages)
    {
        TcpClient client = await server.ConnectAsync();
        await client.GetStream().WriteAsync(Upgrade(channel, $"X-Forwarded-For: {from}", $"Accept-Language: {languages}"));
        Assert.StartsWith("HTTP/1.1 101", await ReadHeadAsync(client), StringComparison.Ordinal);
        return client;
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
