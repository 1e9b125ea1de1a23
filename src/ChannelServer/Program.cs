using System.Collections;
using System.Net;
using System.Runtime.InteropServices;
using ChannelServer;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Relay;

Dictionary<string, string> environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
    .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");
SettingsLoad load = Settings.Load(args, environment, Directory.GetCurrentDirectory());
if (load.Settings is not { } settings)
    return load.Report(Console.Out, Console.Error);
if (!TrustedProxies.TryParse(settings.TrustedProxyList, out TrustedProxies? proxies, out string? error))
{
    Console.Error.WriteLine(error);
    return 2;
}
GeoDatabase? geo = null;
await using ChannelServerHost host = ChannelServerHost.Build(
    settings, proxies, geo, new Silent(), Microsoft.Extensions.Logging.Abstractions.NullLoggerProvider.Instance, TimeProvider.System);
if (await host.StartAsync() is { } failure)
{
    Console.Error.WriteLine(failure);
    return 1;
}
Console.WriteLine(string.Join(' ', host.Urls));
TaskCompletionSource stop = new();
using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => { context.Cancel = true; stop.TrySetResult(); });
await stop.Task;
await host.StopAsync();
return 0;

internal sealed class Silent : IRelayObserver
{
    public void SessionBegan(bool opened) { }
    public void SessionRefused(EndReason reason, IPAddress? address) { }
    public void SessionEnded(in SessionEnd session) { }
    public void ChannelEnded(EndReason reason) { }
    public void Failed(Exception exception) => Console.Error.WriteLine(exception);
}
