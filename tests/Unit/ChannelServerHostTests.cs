using System.Diagnostics.Metrics;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelServer.Tests;

/// <summary>A server inside a program, by its public face alone.</summary>
public sealed class ChannelServerHostTests
{
    private static readonly Settings _settings = new() { Hostname = "127.0.0.1", Port = 0, StatsdHost = null, MmdbLoc = "", DrainWindow = TimeSpan.Zero };

    [Theory]
    [MemberData(nameof(RunningServer.Engines), MemberType = typeof(RunningServer))]
    public async Task It_serves_counts_and_stops(Engine engine)
    {
        long begun = 0;
        using MeterListener counts = new();
        counts.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "channelserver" && instrument.Name == "conn.create")
                listener.EnableMeasurementEvents(instrument);
        };
        counts.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref begun, value));
        counts.Start();
        await using ChannelServerHost server = await ChannelServerHost.StartAsync(_settings with { Engine = engine }, NullLoggerFactory.Instance);
        Uri address = new(server.Addresses[0]);
        using TcpClient client = new();
        await client.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync(RunningServer.Upgrade(""), TestContext.Current.CancellationToken);
        Assert.StartsWith("HTTP/1.1 101", await RunningServer.ReadHeadAsync(client), StringComparison.Ordinal);
        await RunningServer.ReadIdAsync(client);
        server.LookForDatabase();
        Task stopping = server.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal("close 1001", await RunningServer.ReadFrameAsync(client));
        client.Dispose();
        await stopping;
        Assert.True(Interlocked.Read(ref begun) >= 1);
    }

    [Fact]
    public async Task What_keeps_it_from_starting_is_told_in_words()
    {
        await using ChannelServerHost server = await ChannelServerHost.StartAsync(_settings, NullLoggerFactory.Instance);
        int port = new Uri(server.Addresses[0]).Port;
        foreach (Engine engine in (Engine[])[Engine.Auto, Engine.Kestrel])
        {
            IOException fault = await Assert.ThrowsAsync<IOException>(
                () => ChannelServerHost.StartAsync(_settings with { Port = port, Engine = engine }, NullLoggerFactory.Instance));
            Assert.Equal($"cannot listen on 127.0.0.1 port {port}: the port is in use", fault.Message);
        }
        ArgumentException wrong = await Assert.ThrowsAsync<ArgumentException>(
            () => ChannelServerHost.StartAsync(_settings with { TrustedProxyList = "nonsense" }, NullLoggerFactory.Instance));
        Assert.Contains("trusted_proxy_list", wrong.Message, StringComparison.Ordinal);
    }
}
