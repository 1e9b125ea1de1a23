using System.Net;
using System.Net.Sockets;
using System.Text;
using ChannelServer.Admission;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.Telemetry;
using ChannelServer.Transport;
using ChannelServer.Transport.Linux;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace ChannelServer;

/// <summary>What listens: one driver for the channels, Kestrel for all other HTTP, and what stands between requests and sessions.</summary>
internal sealed class EngineHost : IAsyncDisposable
{
    /// <summary>Where lines of Kestrel's sockets come from when its own transport runs: they are its lines, as <c>verbose</c> sees it.</summary>
    private const string TransportCategory = "Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets";

    private readonly KestrelServer _kestrel;
    private readonly HttpApplication _http;
    private readonly ChannelEngine _engine;
    private readonly Settings _settings;
    private readonly Entrance _entrance;
    private readonly RelayTelemetry _telemetry;
    private readonly TimeProvider _time;

    private EngineHost(
        KestrelServer kestrel, HttpApplication http, ChannelEngine engine, Entrance entrance, Settings settings, RelayTelemetry telemetry, TimeProvider time)
    {
        _kestrel = kestrel;
        _http = http;
        _engine = engine;
        _entrance = entrance;
        _settings = settings;
        _telemetry = telemetry;
        _time = time;
    }

    /// <summary>The driver that carries the channels.</summary>
    public string EngineName => _engine is EpollEngine ? "epoll" : "kestrel";

    /// <summary>The addresses that the server listens on, once it has started.</summary>
    public IEnumerable<string> Addresses => _engine is EpollEngine epoll
        ? epoll.EndPoints.Select(static endPoint => $"http://{endPoint}")
        : _kestrel.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses;

    /// <summary>Connections that there are, whatever they carry, and seats that are held for clients who have lost theirs.</summary>
    public int Clients => _entrance.Admission.Sockets.Count + _telemetry.HeldSeats;

    /// <summary>Has the driver leave the buffers that it keeps for reuse to the collector, soon.</summary>
    public void ReleaseBuffers() => _engine.ReleaseBuffers();

    /// <summary>Builds a server. The Linux engine has its ports from here on, Kestrel from <see cref="StartAsync"/>.</summary>
    /// <param name="settings">What the operator wants.</param>
    /// <param name="proxies">Whose word about a client is believed.</param>
    /// <param name="geo">Where addresses are.</param>
    /// <param name="version">What the version endpoint tells.</param>
    /// <param name="telemetry">Hears of begins and ends.</param>
    /// <param name="loggers">Where log lines go.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="SocketException">The Linux engine cannot listen.</exception>
    public static EngineHost Build(
        Settings settings, TrustedProxies proxies, GeoSource geo, BuildVersion version, RelayTelemetry telemetry, ILoggerFactory loggers,
        TimeProvider time)
    {
        int shards = settings.Shards > 0 ? settings.Shards : Environment.ProcessorCount;
        ClientFactsReader clients = new(
            proxies, geo, settings.LocalizeFor == LocalizeFor.Receiver, loggers.CreateLogger(typeof(ClientFactsReader).FullName!), time,
            settings.LogRemote);
        bool usesEpoll = settings.Engine == Engine.Epoll || (settings.Engine == Engine.Auto && OperatingSystem.IsLinux());
        long heap = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        // A quarter: a heap that is full of messages to this part has room for everything else, and for what the collector has not collected yet.
        long buffered = settings.MaxBuffered > 0 ? settings.MaxBuffered : heap / 4;
        Entrance entrance = Entrance.Build(
            settings, proxies, telemetry, loggers, time, usesEpoll ? int.MaxValue : ConnectionCap.ForMemory(heap, buffered, KestrelEngine.ConnectionOctets));
        Limits limits = settings.ToLimits() with { BufferedOctets = buffered / shards };

        // Without the web host around it, whose configuration, services and routing nothing here would use: docs/decisions/0010.
        KestrelServerOptions options = new() { AddServerHeader = false };
        options.Limits.RequestHeadersTimeout = ChannelEngine.HeadTimeout;
        options.Limits.MaxRequestHeadersTotalSize = WebSockets.RequestHead.MaxBytes;
        options.Limits.MaxRequestHeaderCount = WebSockets.RequestHead.MaxFields;
        // Octet by octet, as the drivers read a head: a late upgrade must not lose what a first one is understood by.
        options.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        // Nothing here takes a body.
        options.Limits.MaxRequestBodySize = 0;
        (ChannelEngine engine, IConnectionListenerFactory transport) = usesEpoll
            ? UseEpoll(options, settings, limits, shards, clients, entrance, telemetry, loggers, time)
            : UseKestrel(options, settings, limits, shards, clients, entrance, loggers, time);

        Endpoints endpoints = new(
            version, entrance.Checks, () => entrance.Admission.IsDraining, loggers.CreateLogger(typeof(Endpoints).FullName!));
        KestrelServer kestrel = new(Options.Create(options), transport, loggers);
        return new EngineHost(kestrel, new HttpApplication(endpoints, engine), engine, entrance, settings, telemetry, time);
    }

    /// <summary>Starts to serve.</summary>
    /// <exception cref="IOException">Kestrel cannot listen.</exception>
    /// <exception cref="SocketException">Kestrel cannot listen.</exception>
    public async Task StartAsync()
    {
        await _kestrel.StartAsync(_http, CancellationToken.None);
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
        await Task.Delay(_settings.DrainGrace, _time, hurry).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _engine.StopAsync(_settings.DrainWindow, _settings.ShutdownTimeout, hurry);
        using CancellationTokenSource patience = new(_settings.ShutdownTimeout, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(hurry, patience.Token);
        await _kestrel.StopAsync(either.Token);
    }

    public async ValueTask DisposeAsync()
    {
        _kestrel.Dispose();
        await _engine.DisposeAsync();
        await _entrance.DisposeAsync();
    }

    private static (ChannelEngine, IConnectionListenerFactory) UseEpoll(
        KestrelServerOptions options, Settings settings, Limits limits, int shards, ClientFactsReader clients, Entrance entrance, RelayTelemetry telemetry,
        ILoggerFactory loggers, TimeProvider time)
    {
        HandoverListenerFactory handover = new(entrance.Admission.Sockets, loggers.CreateLogger(TransportCategory));
        EpollEngine engine = new(
            shards, settings.ListenAddresses(), settings.Port, limits, clients, handover, entrance.Admission, entrance.Observer, telemetry,
            new AcceptFailures(loggers.CreateLogger(typeof(EpollEngine).FullName!), time), time);
        options.Listen(
            new HandoverEndPoint(string.Join(' ', engine.EndPoints)),
            listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => connection => handover.ReplayAsync(connection, next));
            });
        return (engine, handover);
    }

    private static (ChannelEngine, IConnectionListenerFactory) UseKestrel(
        KestrelServerOptions options, Settings settings, Limits limits, int shards, ClientFactsReader clients, Entrance entrance, ILoggerFactory loggers,
        TimeProvider time)
    {
        KestrelEngine engine = new(shards, limits, clients, entrance.Admission, entrance.Observer, time);
        SocketConnectionFactoryOptions sockets = new()
        {
            // A message goes from one socket to the other on the thread that read it; nothing here blocks.
            UnsafePreferInlineScheduling = true,
            // A write completes when the kernel has taken it: what waits belongs in the session's bounded outbox, not here.
            MaxWriteBufferSize = 2,
            MaxReadBufferSize = KestrelEngine.PipeOctets,
        };
        foreach (IPAddress address in settings.ListenAddresses())
        {
            options.Listen(address, settings.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => connection => engine.HandleAsync(connection, next));
            });
        }
        AcceptFailures failures = new(loggers.CreateLogger(typeof(KestrelEngine).FullName!), time);
        return (engine, new PoliteListenerFactory(
            sockets, entrance.Admission.Sockets, engine.MakeRoom, failures, time, loggers.CreateLogger(TransportCategory)));
    }

    private static SocketError SocketErrorOf(Exception? fault) => fault switch
    {
        null => SocketError.SocketError,
        SocketException socket => PortableName(socket),
        AddressInUseException => SocketError.AddressAlreadyInUse,
        _ => SocketErrorOf(fault.InnerException),
    };

    /// <summary>The Linux engine's faults carry the kernel's number, errno(3), to which the platform gives no name.</summary>
    private static SocketError PortableName(SocketException fault) => (int)fault.SocketErrorCode switch
    {
        LibC.EACCES => SocketError.AccessDenied,
        LibC.EADDRINUSE => SocketError.AddressAlreadyInUse,
        LibC.EADDRNOTAVAIL => SocketError.AddressNotAvailable,
        _ => fault.SocketErrorCode,
    };
}
