using System.Collections;
using System.Runtime.InteropServices;
using ChannelServer;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Telemetry;
using Microsoft.Extensions.Logging;

// The server with a bug in it: describing a sender to one who takes any language (Accept-Language: *) fails in the midst of relaying a message.
Dictionary<string, string> environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
    .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");
string database = Environment.GetEnvironmentVariable("CHANNEL_SERVER_DATABASE") ?? throw new InvalidOperationException("No database is named.");
SettingsLoad load = Settings.Load(args, environment, Directory.GetCurrentDirectory());
if (load.Settings is not { } settings)
    return load.Report(Console.Out, Console.Error);
if (!TrustedProxies.TryParse(settings.TrustedProxyList, out TrustedProxies? proxies, out string? error)
    || !GeoDatabase.TryOpen(database, out GeoDatabase? places, out error))
    throw new InvalidOperationException(error);

TimeProvider time = TimeProvider.System;
BuildVersion version = BuildVersion.Read(AppContext.BaseDirectory);
using LineLoggerProvider log = new(settings, version.Version, Console.OpenStandardOutput(), time);
using ILoggerFactory loggers = log.CreateFactory(settings);
using RelayTelemetry telemetry = new(loggers.CreateLogger<RelayTelemetry>(), settings.LogRemote);
await using StatsdExporter statsd = new(telemetry.Meter, settings.StatsdHost ?? throw new InvalidOperationException("No statistics."), settings.MetricName, time, loggers.CreateLogger<StatsdExporter>());
GeoSource geo = new(settings.DefaultLang);
geo.Use(new GeoInUse(places, new LanguageLookup(new FaultyList(), "xx")));
await using EngineHost host = EngineHost.Build(settings, proxies, geo, version, telemetry, loggers, time);
await host.StartAsync();
statsd.Start();
await using MemoryReturn memory = MemoryReturn.OfProcess(time, () => host.Clients, host.ReleaseBuffers);
TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
{
    signal.Cancel = true;
    stop.TrySetResult();
});
await stop.Task;
await host.StopAsync(CancellationToken.None);
return 0;

/// <summary>The languages of a database, which fail whoever looks at them.</summary>
internal sealed class FaultyList : IReadOnlyList<string>
{
    private const string Fault = "a fault put here by a test";

    public int Count => 1;

    public string this[int index] => throw new InvalidOperationException(Fault);

    public IEnumerator<string> GetEnumerator() => throw new InvalidOperationException(Fault);

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
