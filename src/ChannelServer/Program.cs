using System.Collections;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using ChannelServer;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Telemetry;

// Settings.
Dictionary<string, string> environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
    .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");
SettingsLoad load = Settings.Load(args, environment, Directory.GetCurrentDirectory());
if (load.Settings is not { } settings)
    return load.Report(Console.Out, Console.Error);
if (!TrustedProxies.TryParse(settings.TrustedProxyList, out TrustedProxies? proxies, out string? error))
    return await FailAsync($"trusted_proxy_list: {error}", status: 2);
GeoDatabase? geo = null;
bool hasDatabase = settings.MmdbNamed ? settings.MmdbLoc.Length > 0 : File.Exists(settings.MmdbLoc);
if (hasDatabase && !GeoDatabase.TryOpen(settings.MmdbLoc, out geo, out error) && settings.MmdbNamed)
    return await FailAsync($"mmdb_loc: {error}", status: 1);

// What watches.
TimeProvider time = TimeProvider.System;
BuildVersion version = BuildVersion.Read(AppContext.BaseDirectory);
using LineLoggerProvider log = new(settings, version.Version, Console.OpenStandardOutput(), time);
using ILoggerFactory loggers = log.CreateFactory(settings);
ILogger<Program> logger = loggers.CreateLogger<Program>();
using RelayTelemetry telemetry = new(loggers.CreateLogger<RelayTelemetry>(), settings.LogRemote);
await using StatsdExporter? statsd = settings.StatsdHost is { } target
    ? new StatsdExporter(telemetry.Meter, target, settings.MetricName, time, loggers.CreateLogger<StatsdExporter>())
    : null;

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
    if (geo is not null)
        logger.LocationOn(settings.MmdbLoc, geo.BuiltAt.UtcDateTime);
    else if (settings.MmdbLoc.Length > 0)
        logger.LocationOff(settings.MmdbLoc, error ?? "there is no such file");
    logger.ServerStarted(version.Version, version.Commit, host.EngineName, string.Join(' ', host.Addresses));

    TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    using CancellationTokenSource hurry = new();
    using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, RequestStop);
    using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, RequestStop);
    await stop.Task;
    logger.ServerStopping();
    await host.StopAsync(hurry.Token);
    logger.ServerStopped();

    void RequestStop(PosixSignalContext signal)
    {
        signal.Cancel = true;
        if (stop.TrySetResult())
            return;
        logger.ServerHurrying();
        hurry.Cancel();
    }
}
return 0;

static async Task<int> FailAsync(string error, int status)
{
    await Console.Error.WriteLineAsync($"channelserver: {error}");
    return status;
}
