using System.Collections;
using System.Runtime.InteropServices;
using ChannelServer;
using ChannelServer.Http;
using ChannelServer.Telemetry;

// Settings.
Dictionary<string, string> environment = [];
foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
    environment[(string)variable.Key] = (string?)variable.Value ?? "";
SettingsLoad load = Settings.Load(args, environment, Directory.GetCurrentDirectory());
if (load.Settings is not { } settings)
    return load.Report(Console.Out, Console.Error);

// Signals, from here until the process is gone: the default, after the last line of this file too, would kill it in the midst of something.
TaskCompletionSource stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
CancellationTokenSource hurry = new();
int stopsAsked = 0;
List<PosixSignalRegistration> signals = [];
ChannelServerHost? host = null;

// What watches.
TimeProvider time = TimeProvider.System;
BuildVersion version = BuildVersion.Read(AppContext.BaseDirectory);
using LineLoggerProvider log = new(settings, version.Version, Console.OpenStandardOutput(), time);
using ILoggerFactory loggers = log.CreateFactory(settings);
ILogger logger = loggers.CreateLogger(nameof(ChannelServer));
signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, RequestStop));
signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, RequestStop));
// On Windows it is a console that closes.
if (!OperatingSystem.IsWindows())
    signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, RequestLook));

// The server.
try
{
    host = await ChannelServerHost.StartAsync(settings, version, loggers, time);
}
catch (IOException fault)
{
    await Console.Error.WriteLineAsync($"channelserver: {fault.Message}");
    return 1;
}
await using (host)
{
    await using MemoryReturn memory = MemoryReturn.OfProcess(time, () => host.Clients, host.ReleaseBuffers);
    await stop.Task;
    await host.StopAsync(hurry.Token);
}
return 0;

void RequestLook(PosixSignalContext signal)
{
    signal.Cancel = true;
    host?.LookForDatabase();
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

// Said here so that the SDK does not make it public.
internal sealed partial class Program;
