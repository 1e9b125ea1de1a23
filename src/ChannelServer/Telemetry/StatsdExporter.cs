using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Telemetry;

/// <summary>
/// Sends what one meter measures to a statsd server: sums in memory, a flush every second and one at the end. Measuring costs an
/// addition; no failure of the network or of a name reaches whoever measures. While the address is not known, sums go on growing
/// and are sent later.
/// </summary>
internal sealed class StatsdExporter : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastLookup = TimeSpan.FromMilliseconds(500);

    private readonly Meter _meter;
    private readonly string _prefix;
    private readonly TimeProvider _time;
    private readonly MeterListener _listener = new();
    private readonly CancellationTokenSource _stopping = new();
    private Task _running = Task.CompletedTask;

    // Written by the listener's thread, read by the loop.
    private readonly Lock _gate = new();
    private StatsdSeries[] _series = [];

    // The loop only; after it, the disposer.
    private readonly StatsdAddress _address;
    private readonly StatsdDatagrams _datagrams;
    private IPEndPoint? _to;
    private Socket? _socket;

    /// <summary>Makes an exporter. It measures from here on, and sends after <see cref="Start"/>.</summary>
    /// <param name="meter">All instruments of this meter are exported: counters, up-down counters and histograms of long, with at most
    /// one tag.</param>
    /// <param name="target">The statsd server.</param>
    /// <param name="prefix">The first part of every name; may be empty.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told of names that cannot be resolved, once per outage.</param>
    /// <param name="resolve">How a name is resolved; by default as the system does.</param>
    public StatsdExporter(
        Meter meter, StatsdTarget target, string prefix, TimeProvider time, ILogger<StatsdExporter> logger,
        Func<string, Task<IPAddress[]>>? resolve = null)
    {
        _meter = meter;
        _prefix = prefix;
        _time = time;
        _address = new StatsdAddress(target, time, logger, resolve ?? Dns.GetHostAddressesAsync);
        _datagrams = new StatsdDatagrams(Send);
        _listener.InstrumentPublished = Subscribe;
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, state) => ((StatsdSeries)state!).Measure(value, tags));
        _listener.Start();
    }

    /// <summary>Starts the flushing.</summary>
    public void Start()
    {
        _address.Current();
        _running = RunAsync();
    }

    /// <summary>Flushes for the last time and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(false);
        _listener.Dispose();
        await _address.Settle(LastLookup).ConfigureAwait(false);
        Flush();
        _socket?.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using PeriodicTimer timer = new(Interval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
                Flush();
        }
        catch (OperationCanceledException)
        {
            return;
        }
    }

    private void Subscribe(Instrument instrument, MeterListener listener)
    {
        // Two servers in one process have two meters of one name.
        if (!ReferenceEquals(instrument.Meter, _meter) || StatsdSeries.For(instrument, _prefix) is not { } series)
            return;
        lock (_gate)
            _series = [.. _series, series];
        listener.EnableMeasurementEvents(instrument, series);
    }

    private void Flush()
    {
        _to = _address.Current();
        // Before the counts are taken, which stay for the next time.
        if (_to is null || !HasSocket(_to))
            return;
        StatsdSeries[] all;
        lock (_gate)
            all = _series;
        foreach (StatsdSeries series in all)
            series.Tell(_datagrams);
        _datagrams.Flush();
        if (_to is not null)
            _address.Sent();
    }

    /// <summary>Whether there is a socket; without a descriptor for one there is none.</summary>
    private bool HasSocket(IPEndPoint to)
    {
        if (_socket?.AddressFamily == to.AddressFamily)
            return true;
        _socket?.Dispose();
        _socket = null;
        try
        {
            // Not connected, so that a closed port, which the network reports to connected sockets, changes nothing.
            _socket = new Socket(to.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
            return true;
        }
        catch (SocketException fault)
        {
            _address.Failed(fault.SocketErrorCode);
            return false;
        }
    }

    private void Send(ReadOnlyMemory<byte> datagram)
    {
        if (_to is null)
            return;
        try
        {
            _socket!.SendTo(datagram.Span, SocketFlags.None, _to);
        }
        catch (SocketException fault) when (fault.SocketErrorCode is SocketError.WouldBlock or SocketError.NoBufferSpaceAvailable)
        {
            // The datagram is lost, as datagrams may be. Waiting for room would help nobody.
        }
        catch (SocketException fault)
        {
            _address.Failed(fault.SocketErrorCode);
            _to = null;
        }
    }
}
