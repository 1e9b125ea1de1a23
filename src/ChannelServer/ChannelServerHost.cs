using System.Net;
using System.Net.Sockets;
using ChannelServer.Admission;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Telemetry;
using ChannelServer.Transport;
using ChannelServer.Transport.Linux;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace ChannelServer;

/// <summary>The server, put together from its settings: one driver for the channels, Kestrel for all other HTTP.</summary>
internal sealed class ChannelServerHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ChannelEngine _engine;
    private readonly Settings _settings;
    private readonly Entrance _entrance;

    private ChannelServerHost(WebApplication app, ChannelEngine engine, Entrance entrance, Settings settings)
    {
        _app = app;
        _engine = engine;
        _entrance = entrance;
        _settings = settings;
    }

    /// <summary>The driver that carries the channels.</summary>
    public string EngineName => _engine is EpollEngine ? "epoll" : "kestrel";

    /// <summary>The addresses that the server listens on, once it has started.</summary>
    public IEnumerable<string> Addresses => _engine is EpollEngine epoll
        ? epoll.EndPoints.Select(static endPoint => $"http://{endPoint}")
        : _app.Urls;

    /// <summary>Builds a server. The Linux engine has its ports from here on, Kestrel from <see cref="StartAsync"/>.</summary>
    /// <param name="settings">What the operator wants.</param>
    /// <param name="proxies">Whose word about a client is believed.</param>
    /// <param name="geo">Where addresses are.</param>
    /// <param name="version">What the version endpoint tells.</param>
    /// <param name="telemetry">Hears of begins and ends.</param>
    /// <param name="log">Where log lines go.</param>
    /// <param name="loggers">Loggers that write there, by the levels that the settings ask for.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="SocketException">The Linux engine cannot listen.</exception>
    public static ChannelServerHost Build(
        Settings settings, TrustedProxies proxies, GeoSource geo, BuildVersion version, RelayTelemetry telemetry, LineLoggerProvider log,
        ILoggerFactory loggers, TimeProvider time)
    {
        int shards = settings.Shards > 0 ? settings.Shards : Environment.ProcessorCount;
        ClientFactsReader clients = new(
            proxies, geo, settings.LocalizeFor == LocalizeFor.Receiver, loggers.CreateLogger(typeof(ClientFactsReader).FullName!), time);
        Entrance entrance = Entrance.Build(settings, proxies, telemetry, loggers, time);
        bool usesEpoll = settings.Engine == Engine.Epoll || (settings.Engine == Engine.Auto && OperatingSystem.IsLinux());

        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        log.Attach(builder.Logging, settings);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.RequestHeadersTimeout = ChannelEngine.HeadTimeout;
            kestrel.Limits.MaxRequestHeadersTotalSize = WebSockets.RequestHead.MaxBytes;
            kestrel.Limits.MaxRequestHeaderCount = WebSockets.RequestHead.MaxFields;
            // Nothing here takes a body.
            kestrel.Limits.MaxRequestBodySize = 0;
        });
        ChannelEngine engine = usesEpoll
            ? UseEpoll(builder, settings, shards, clients, entrance, telemetry, loggers, time)
            : UseKestrel(builder, settings, shards, clients, entrance, telemetry, loggers, time);

        WebApplication app = builder.Build();
        Endpoints.Map(app, version, entrance.Checks, () => entrance.Admission.IsDraining);
        app.Run(context => LateUpgrade.HandleAsync(context, engine));
        return new ChannelServerHost(app, engine, entrance, settings);
    }

    /// <summary>Starts to serve.</summary>
    /// <exception cref="IOException">Kestrel cannot listen.</exception>
    /// <exception cref="SocketException">Kestrel cannot listen.</exception>
    public async Task StartAsync()
    {
        await _app.StartAsync();
        (_engine as EpollEngine)?.Start();
    }

    /// <summary>Says in one line why the server cannot listen.</summary>
    /// <param name="settings">What was asked for.</param>
    /// <param name="fault">What <see cref="Build"/> or <see cref="StartAsync"/> threw.</param>
    public static string DescribeFailure(Settings settings, Exception fault)
    {
        SocketError error = SocketErrorOf(fault);
        string why = error switch
        {
            SocketError.AccessDenied => "no permission; ports below 1024 need a privilege",
            SocketError.AddressNotAvailable => "this machine does not have the address",
            SocketError.AddressAlreadyInUse => "the port is in use",
            _ => fault.Message,
        };
        return $"cannot listen on {settings.Hostname} port {settings.Port}: {why}";
    }

    /// <summary>
    /// Says that it takes nothing new, waits for the load balancer to notice, ends every session with a close frame behind what was
    /// accepted, and stops to listen.
    /// </summary>
    /// <param name="hurry">Does the rest of it at once.</param>
    public async Task StopAsync(CancellationToken hurry = default)
    {
        _entrance.Admission.Drain();
        await Task.Delay(_settings.DrainGrace, hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _engine.StopAsync(_settings.DrainWindow, _settings.ShutdownTimeout, hurry);
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(hurry);
        patience.CancelAfter(_settings.ShutdownTimeout);
        await _app.StopAsync(patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _engine.DisposeAsync();
        await _entrance.DisposeAsync();
    }

    private static EpollEngine UseEpoll(
        WebApplicationBuilder builder, Settings settings, int shards, ClientFactsReader clients, Entrance entrance, RelayTelemetry telemetry,
        ILoggerFactory loggers, TimeProvider time)
    {
        HandoverListenerFactory handover = new(entrance.Admission.Sockets, loggers.CreateLogger(typeof(HandoverListenerFactory).FullName!));
        EpollEngine engine = new(
            shards, settings.ListenAddresses(), settings.Port, settings.ToLimits(), clients, handover, entrance.Admission, entrance.Observer, telemetry,
            loggers.CreateLogger(typeof(EpollEngine).FullName!), time);
        builder.Services.AddSingleton<IConnectionListenerFactory>(handover);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(
            new HandoverEndPoint(string.Join(' ', engine.EndPoints)),
            listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => connection => handover.ReplayAsync(connection, next));
            }));
        return engine;
    }

    private static KestrelEngine UseKestrel(
        WebApplicationBuilder builder, Settings settings, int shards, ClientFactsReader clients, Entrance entrance, RelayTelemetry telemetry,
        ILoggerFactory loggers, TimeProvider time)
    {
        KestrelEngine engine = new(shards, settings.ToLimits(), clients, entrance.Admission, entrance.Observer, telemetry, time);
        SocketConnectionFactoryOptions sockets = new()
        {
            // A message goes from one socket to the other on the thread that read it; nothing here blocks.
            UnsafePreferInlineScheduling = true,
            // A write completes when the kernel has taken it: what waits belongs in the session's bounded outbox, not here.
            MaxWriteBufferSize = 2,
            MaxReadBufferSize = ShardTurn.InputSize,
        };
        builder.Services.AddSingleton<IConnectionListenerFactory>(
            new PoliteListenerFactory(sockets, time, loggers.CreateLogger(typeof(PoliteListenerFactory).FullName!)));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            foreach (IPAddress address in settings.ListenAddresses())
            {
                kestrel.Listen(address, settings.Port, listen =>
                {
                    listen.Protocols = HttpProtocols.Http1;
                    listen.Use(next => connection => engine.HandleAsync(connection, next));
                });
            }
        });
        return engine;
    }

    private static SocketError SocketErrorOf(Exception? fault) => fault switch
    {
        null => SocketError.SocketError,
        SocketException socket => socket.SocketErrorCode,
        AddressInUseException => SocketError.AddressAlreadyInUse,
        _ => SocketErrorOf(fault.InnerException),
    };

    /// <summary>Signals are the program's affair: a library that owned them could not be embedded.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
