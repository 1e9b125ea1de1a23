using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ChannelServer.Admission;
using ChannelServer.Relay;
using ChannelServer.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests;

public sealed class StatsdTests : IDisposable
{
    private readonly UdpClient _server = new(new IPEndPoint(IPAddress.Loopback, 0));
    private readonly FakeTimeProvider _time = new();
    private readonly RelayTelemetry _telemetry = new(NullLogger<RelayTelemetry>.Instance, LogRemote.Net);

    private int Port => ((IPEndPoint)_server.Client.LocalEndPoint!).Port;

    public void Dispose()
    {
        _server.Dispose();
        _telemetry.Dispose();
    }

    private StatsdExporter Exporter(
        string host = "127.0.0.1", string prefix = "channelserver", Func<string, Task<IPAddress[]>>? resolve = null)
    {
        StatsdExporter exporter = new(
            _telemetry.Meter, new StatsdTarget(host, Port), prefix, _time, NullLogger<StatsdExporter>.Instance, resolve);
        exporter.Start();
        return exporter;
    }

    /// <summary>Reads datagrams until one brings the line.</summary>
    private async Task<List<string>> LinesUntil(string last)
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        List<string> lines = [];
        while (!lines.Contains(last))
        {
            UdpReceiveResult datagram = await _server.ReceiveAsync(patience.Token);
            Assert.InRange(datagram.Buffer.Length, 1, StatsdDatagrams.MaxOctets);
            lines.AddRange(Encoding.ASCII.GetString(datagram.Buffer).Split('\n'));
        }
        return lines;
    }

    private static SessionEnd End(EndReason reason, int seconds = 1) => new(reason, reason.Code(), TimeSpan.FromSeconds(seconds), 0, null);

    [Fact]
    public async Task The_names_are_those_of_the_original()
    {
        await using (Exporter())
        {
            _telemetry.SessionBegan(SessionStart.Opened);
            _telemetry.SessionBegan(SessionStart.Joined);
            _telemetry.SessionBegan(SessionStart.Joined);
            _telemetry.SessionRefused(EndReason.ChannelFull, IPAddress.Loopback);
            _telemetry.SessionRefused(EndReason.ChannelUnavailable, null);
            _telemetry.UpgradeRefused(RefusalReason.NoUpgrade, null);
            _telemetry.SessionEnded(End(EndReason.ClientTimeout, 12));
            _telemetry.SessionEnded(End(EndReason.ChannelExpired, 300));
            _telemetry.ChannelEnded(EndReason.ChannelExpired, ChannelOutcome.Expired);
            _telemetry.ChannelEnded(EndReason.DataLimit, ChannelOutcome.Crowded);
            _telemetry.ChannelEnded(EndReason.ExchangeLimit, ChannelOutcome.Paired);
            _telemetry.ChannelEnded(EndReason.ClientClosed, ChannelOutcome.Lonely);
            _telemetry.SeatHeld();
            _telemetry.SeatHeld();
            _telemetry.SeatReleased(resumed: true);
            _telemetry.SessionBegan(SessionStart.Resumed);
            _telemetry.Replayed(4);
            _telemetry.SessionRefused(EndReason.ResumeRefused, null);
        }
        List<string> lines = await LinesUntil("channelserver.conn.length:300000|ms");
        Assert.Equal(
            [
                "channelserver.channel.end:1|c|#outcome:crowded",
                "channelserver.channel.end:1|c|#outcome:expired",
                "channelserver.channel.end:1|c|#outcome:lonely",
                "channelserver.channel.end:1|c|#outcome:paired",
                "channelserver.conn.create:4|c",
                "channelserver.conn.end:1|c|#reason:channel_expired",
                "channelserver.conn.end:1|c|#reason:client_timeout",
                "channelserver.conn.expired:1|c",
                "channelserver.conn.length:12000|ms",
                "channelserver.conn.length:300000|ms",
                "channelserver.conn.live:2|g",
                "channelserver.conn.max.conn:1|c",
                "channelserver.conn.max.data:1|c",
                "channelserver.conn.max.msg:1|c",
                "channelserver.conn.refused:1|c|#reason:channel_full",
                "channelserver.conn.refused:1|c|#reason:channel_unavailable",
                "channelserver.conn.refused:1|c|#reason:resume_refused",
                "channelserver.conn.request:1|c|#new",
                "channelserver.conn.request:2|c|#error",
                "channelserver.conn.request:5|c|#existing",
                "channelserver.conn.resume.refused:1|c",
                "channelserver.conn.resume:1|c",
                "channelserver.conn.timeout:1|c",
                "channelserver.msg.replayed:4|c",
                "channelserver.seat.held:1|g",
                "channelserver.upgrade.refused:1|c|#reason:no_upgrade",
            ], lines.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task It_flushes_every_second_and_counts_nothing_twice()
    {
        await using StatsdExporter exporter = Exporter(prefix: "");
        _telemetry.SessionBegan(SessionStart.Opened);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains("conn.create:1|c", await LinesUntil("conn.live:1|g"));
        _telemetry.SessionEnded(End(EndReason.ClientClosed));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.DoesNotContain(await LinesUntil("conn.live:0|g"), static line => line.StartsWith("conn.create", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Many_times_are_sampled_and_say_so()
    {
        const int Sessions = 10 * StatsdTimer.MaxSamples;
        await using (Exporter())
        {
            for (int i = 0; i < Sessions; i++)
                _telemetry.SessionEnded(End(EndReason.ClientClosed));
            _telemetry.ChannelEnded(EndReason.DataLimit, ChannelOutcome.Paired);
        }
        List<string> lines = [];
        while (lines.Count(static line => line == "channelserver.conn.length:1000|ms|@0.1") < StatsdTimer.MaxSamples)
        {
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
            lines.AddRange(Encoding.ASCII.GetString((await _server.ReceiveAsync(patience.Token)).Buffer).Split('\n'));
        }
        Assert.Contains($"channelserver.conn.end:{Sessions}|c|#reason:client_closed", lines);
        Assert.DoesNotContain("channelserver.conn.length:1000|ms", lines);
    }

    [Fact]
    public async Task What_is_counted_before_the_name_is_known_is_sent_later()
    {
        TaskCompletionSource<IPAddress[]> answer = new();
        await using (Exporter("stats.example", resolve: _ => answer.Task))
        {
            _telemetry.SessionBegan(SessionStart.Opened);
            _time.Advance(TimeSpan.FromSeconds(1));
            _telemetry.SessionBegan(SessionStart.Opened);
            // IPv4 is preferred: the server of this test listens on nothing else.
            answer.SetResult([IPAddress.IPv6Loopback, IPAddress.Loopback]);
        }
        Assert.Contains("channelserver.conn.create:2|c", await LinesUntil("channelserver.conn.live:2|g"));
    }

    [Fact]
    public void A_name_that_cannot_be_resolved_is_asked_for_ever_more_rarely_and_told_once()
    {
        List<int> asked = [];
        FakeLogger log = new();
        int second = 0;
        bool known = false;
        StatsdAddress address = new(new StatsdTarget("stats.example", 8125), _time, log, _ =>
        {
            asked.Add(second);
            return known
                ? Task.FromResult<IPAddress[]>([IPAddress.Loopback])
                : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound));
        });
        Run(200);
        // A failure shows one second later; then pauses of 1, 2, 4 ... 60 seconds follow.
        Assert.Equal([0, 2, 5, 10, 19, 36, 69, 130, 191], asked);
        Assert.Equal(["StatsdUnresolved"], log.Events);

        known = true;
        Run(60);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 8125), address.Current());
        address.Sent();
        address.Sent();
        Assert.Equal(["StatsdUnresolved", "StatsdResolved"], log.Events);

        // The last known address is better than none.
        known = false;
        Run(200);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 8125), address.Current());
        Assert.Equal(2, log.Events.Count);

        address.Failed(SocketError.NetworkUnreachable);
        Run(200);
        Assert.Null(address.Current());
        Assert.Equal(["StatsdUnresolved", "StatsdResolved", "StatsdUnreachable"], log.Events);

        void Run(int seconds)
        {
            for (int i = 0; i < seconds; i++, second++)
            {
                address.Current();
                _time.Advance(TimeSpan.FromSeconds(1));
            }
        }
    }

    /// <summary>Keeps the names of the events.</summary>
    private sealed class FakeLogger : ILogger
    {
        public List<string?> Events { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Events.Add(eventId.Name);
    }

    [Fact]
    public async Task A_resolver_that_hangs_holds_up_nothing()
    {
        await using StatsdExporter exporter = Exporter("stats.example", resolve: static _ => new TaskCompletionSource<IPAddress[]>().Task);
        for (int i = 0; i < 10; i++)
        {
            _telemetry.SessionBegan(SessionStart.Opened);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public async Task A_closed_port_does_no_harm()
    {
        await using StatsdExporter exporter = Exporter();
        _server.Dispose();
        for (int i = 0; i < 10; i++)
        {
            _telemetry.SessionBegan(SessionStart.Opened);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
    }

    [Fact]
    public async Task A_name_of_the_system_that_does_not_exist_does_no_harm()
    {
        await using StatsdExporter exporter = Exporter("does-not-exist.invalid");
        _telemetry.SessionBegan(SessionStart.Opened);
        _time.Advance(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void What_begins_also_ends_and_every_reason_has_its_count()
    {
        Dictionary<string, long> sums = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (ReferenceEquals(instrument.Meter, _telemetry.Meter))
                    self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string name = tags.IsEmpty ? instrument.Name : string.Create(CultureInfo.InvariantCulture, $"{instrument.Name} {tags[0].Value}");
            sums[name] = sums.GetValueOrDefault(name) + value;
        });
        listener.Start();
        foreach (EndReason reason in Enum.GetValues<EndReason>())
        {
            _telemetry.SessionBegan(SessionStart.Opened);
            _telemetry.SessionRefused(reason, null);
            _telemetry.SessionEnded(End(reason));
            _telemetry.ChannelEnded(reason, ChannelOutcome.Paired);
        }
        long sessions = Enum.GetValues<EndReason>().Length;
        Assert.Equal(sessions, sums["conn.create"]);
        Assert.Equal(0, sums["conn.live"]);
        Assert.All(Enum.GetValues<EndReason>(), reason => Assert.Equal(1, sums[$"conn.end {reason.Tag()}"]));
        Assert.All(Enum.GetValues<EndReason>(), reason => Assert.Equal(1, sums[$"conn.refused {reason.Tag()}"]));
        Assert.Equal(2 * sessions, sums["conn.request new"] + sums["conn.request existing"] + sums["conn.request error"]);
        Assert.Equal((1, 1, 1, 1, 1),
            (sums["conn.expired"], sums["conn.timeout"], sums["conn.max.data"], sums["conn.max.msg"], sums["conn.max.conn"]));
    }

    [Fact]
    public async Task Measuring_allocates_nothing()
    {
        await using StatsdExporter exporter = Exporter();
        Allocation.AssertNone(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                _telemetry.SessionBegan(SessionStart.Opened);
                _telemetry.SessionEnded(End(EndReason.ClientClosed));
                _telemetry.ChannelEnded(EndReason.ClientClosed, ChannelOutcome.Paired);
            }
        });
    }

    [Fact]
    public async Task Shards_count_together()
    {
        await using (Exporter())
        {
            Parallel.For(0, 4, _ =>
            {
                for (int i = 0; i < 1000; i++)
                {
                    _telemetry.SessionBegan(SessionStart.Joined);
                    _telemetry.SessionEnded(End(EndReason.Disconnected));
                }
            });
        }
        List<string> lines = await LinesUntil("channelserver.conn.live:0|g");
        Assert.Contains("channelserver.conn.create:4000|c", lines);
        Assert.Contains("channelserver.conn.end:4000|c|#reason:disconnected", lines);
    }
}
