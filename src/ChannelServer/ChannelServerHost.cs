using System.Net.Sockets;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Telemetry;

namespace ChannelServer;

/// <summary>
/// A channel server, for the program that is one and for programs that have one inside: all that its settings ask for, from the port to the statistics.
/// Its counts can also be read from the program itself, with <c>System.Diagnostics.Metrics</c>, meter <c>channelserver</c>.
/// </summary>
public sealed class ChannelServerHost : IAsyncDisposable
{
    private readonly BuildVersion _version;
    private readonly ILogger _logger;
    private readonly RelayTelemetry _telemetry;
    private readonly StatsdExporter? _statsd;
    private readonly GeoSource _geo;
    private readonly GeoWatch? _database;
    private EngineHost? _engine;

    private ChannelServerHost(Settings settings, BuildVersion version, ILoggerFactory loggers, TimeProvider time)
    {
        _version = version;
        _logger = loggers.CreateLogger(nameof(ChannelServer));
        _telemetry = new RelayTelemetry(loggers.CreateLogger<RelayTelemetry>(), settings.LogRemote);
        _statsd = settings.StatsdHost is { } target
            ? new StatsdExporter(_telemetry.Meter, target, settings.MetricName, time, loggers.CreateLogger<StatsdExporter>())
            : null;
        _geo = new GeoSource(settings.DefaultLang);
        _database = settings.MmdbLoc.Length > 0
            ? new GeoWatch(settings.MmdbLoc, settings.MmdbCheck, _geo, loggers.CreateLogger<GeoWatch>(), time)
            : null;
    }

    /// <summary>The addresses that it listens on, such as <c>http://127.0.0.1:8000</c>; with <see cref="Settings.Port"/> 0 they tell which one it got.</summary>
    public IReadOnlyList<string> Addresses => [.. _engine!.Addresses];

    /// <summary>Connections that there are, whatever they carry, and seats that are held for clients who have lost theirs.</summary>
    internal int Clients => _engine!.Clients;

    /// <summary>Has the driver leave the buffers that it keeps for reuse to the collector, soon.</summary>
    internal void ReleaseBuffers() => _engine!.ReleaseBuffers();

    /// <summary>Starts a server.</summary>
    /// <param name="settings">What it is to be: of <see cref="Settings.Load"/>, or made by hand.</param>
    /// <param name="loggers">Where its log lines go. Those about clients are bounded by <c>log_rate</c> only in the server's own program.</param>
    /// <param name="time">The clock; the system's by default.</param>
    /// <exception cref="ArgumentException">A setting has a value that <see cref="Settings.Load"/> would have refused.</exception>
    /// <exception cref="IOException">It cannot listen, or the database that the settings name cannot be used. The message says which and why, in one line.</exception>
    public static Task<ChannelServerHost> StartAsync(Settings settings, ILoggerFactory loggers, TimeProvider? time = null) =>
        StartAsync(settings, BuildVersion.Read(AppContext.BaseDirectory), loggers, time ?? TimeProvider.System);

    /// <summary>Looks whether the database of places has been replaced, now rather than when it is time to.</summary>
    public void LookForDatabase() => _database?.LookNow();

    /// <summary>
    /// Takes nothing new, ends every channel with a close frame behind what was accepted, and returns when all connections are closed. How long each
    /// step may take stands in the settings: <see cref="Settings.DrainGrace"/>, <see cref="Settings.DrainWindow"/>, <see cref="Settings.ShutdownTimeout"/>.
    /// </summary>
    /// <param name="hurry">Does the rest of it at once.</param>
    public async Task StopAsync(CancellationToken hurry = default)
    {
        _logger.ServerStopping();
        await _engine!.StopAsync(hurry);
        _logger.ServerStopped();
    }

    /// <summary>Frees everything. Sessions that <see cref="StopAsync"/> has not ended are cut.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_engine is not null)
            await _engine.DisposeAsync();
        _database?.Dispose();
        if (_statsd is not null)
            await _statsd.DisposeAsync();
        _telemetry.Dispose();
    }

    internal static async Task<ChannelServerHost> StartAsync(Settings settings, BuildVersion version, ILoggerFactory loggers, TimeProvider time)
    {
        if (!TrustedProxies.TryParse(settings.TrustedProxyList, out TrustedProxies? proxies, out string? error))
            throw new ArgumentException($"trusted_proxy_list: {error}", nameof(settings));
        ChannelServerHost host = new(settings, version, loggers, time);
        try
        {
            await host.StartAsync(settings, proxies, loggers, time);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    private async Task StartAsync(Settings settings, TrustedProxies proxies, ILoggerFactory loggers, TimeProvider time)
    {
        string? error = null;
        if (_database is not null && !_database.TryOpen(out error) && settings.MmdbNamed)
            throw new IOException($"mmdb_loc: {error}");
        try
        {
            _engine = EngineHost.Build(settings, proxies, _geo, _version, _telemetry, loggers, time);
            await _engine.StartAsync();
        }
        catch (Exception fault) when (fault is IOException or SocketException)
        {
            throw new IOException(EngineHost.DescribeFailure(settings, fault), fault);
        }
        _statsd?.Start();
        if (_geo.Current is { } inUse)
            _logger.LocationOn(settings.MmdbLoc, inUse.Database.BuiltAt.UtcDateTime);
        else if (_database is not null)
            _logger.LocationOff(settings.MmdbLoc, error ?? "");
        _database?.Start();
        _logger.ServerStarted(_version.Version, _version.Commit, _engine.EngineName, string.Join(' ', Addresses));
    }
}
