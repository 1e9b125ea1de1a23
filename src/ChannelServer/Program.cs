using System.Collections;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using ChannelServer;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Telemetry;

// Settings.
Dictionary<string, string> environment = [];
foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
    environment[(string)variable.Key] = (string?)variable.Value ?? "";
SettingsLoad load = Settings.Load(args, environment, Directory.GetCurrentDirectory());
if (load.Settings is not { } settings)
    return load.Report(Console.Out, Console.Error);
if (!TrustedProxies.TryParse(settings.TrustedProxyList, out TrustedProxies? proxies, out string? error))
    return await FailAsync($"trusted_proxy_list: {error}", status: 2);

// Signals, from here until the process is gone: the default, after the last line of this file too, would kill it in the midst of something.
TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
CancellationTokenSource hurry = new();
int stopsAsked = 0;
List<PosixSignalRegistration> signals = [];

// What watches.
TimeProvider time = TimeProvider.System;
BuildVersion version = BuildVersion.Read(AppContext.BaseDirectory);
using LineLoggerProvider log = new(settings, version.Version, Console.OpenStandardOutput(), time);
using ILoggerFactory loggers = log.CreateFactory(settings);
ILogger logger = loggers.CreateLogger(nameof(ChannelServer));
signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, RequestStop));
signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, RequestStop));
using RelayTelemetry telemetry = new(loggers.CreateLogger<RelayTelemetry>(), settings.LogRemote);
await using StatsdExporter? statsd = settings.StatsdHost is { } target
    ? new StatsdExporter(telemetry.Meter, target, settings.MetricName, time, loggers.CreateLogger<StatsdExporter>())
    : null;

// Where clients are.
GeoSource geo = new(settings.DefaultLang);
using GeoWatch? database = settings.MmdbLoc.Length > 0
    ? new GeoWatch(settings.MmdbLoc, settings.MmdbCheck, geo, loggers.CreateLogger<GeoWatch>(), time)
    : null;
// On Windows it is a console that closes.
if (!OperatingSystem.IsWindows())
    signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, RequestLook));
if (database is not null && !database.TryOpen(out error) && settings.MmdbNamed)
    return await FailAsync($"mmdb_loc: {error}", status: 1);

// The server.
ChannelServerHost host;
try
{
    host = ChannelServerHost.Build(settings, proxies, geo, version, telemetry, loggers, time);
    await host.StartAsync();
}
catch (Exception fault) when (fault is IOException or SocketException)
{
    return await FailAsync(ChannelServerHost.DescribeFailure(settings, fault), status: 1);
}
await using (host)
{
    statsd?.Start();
    if (geo.Current is { } inUse)
        logger.LocationOn(settings.MmdbLoc, inUse.Database.BuiltAt.UtcDateTime);
    else if (database is not null)
        logger.LocationOff(settings.MmdbLoc, error ?? "");
    database?.Start();
    logger.ServerStarted(version.Version, version.Commit, host.EngineName, string.Join(' ', host.Addresses));

    await stop.Task;
    logger.ServerStopping();
    await host.StopAsync(hurry.Token);
    logger.ServerStopped();
}
return 0;

void RequestLook(PosixSignalContext signal)
{
    signal.Cancel = true;
    database?.LookNow();
}

void RequestStop(PosixSignalContext signal)
{
    signal.Cancel = true;
    // Held by their own handler: a registration that is collected takes the default back.
    GC.KeepAlive(signals);
    switch (Interlocked.Increment(ref stopsAsked))
    {
        case 1:
            stop.SetResult();
            break;
        case 2:
            logger.ServerHurrying();
            hurry.Cancel();
            break;
    }
}

static async Task<int> FailAsync(string error, int status)
{
    await Console.Error.WriteLineAsync($"channelserver: {error}");
    return status;
}
