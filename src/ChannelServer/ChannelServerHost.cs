using System.Net;
using System.Net.Sockets;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace ChannelServer;

/// <summary>The server, put together from its settings: one driver for the channels, Kestrel for all other HTTP.</summary>
internal sealed class ChannelServerHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly KestrelEngine _engine;
    private readonly Settings _settings;

    private ChannelServerHost(WebApplication app, KestrelEngine engine, Settings settings)
    {
        _app = app;
        _engine = engine;
        _settings = settings;
    }

    /// <summary>The addresses that the server listens on, once it has started.</summary>
    public IEnumerable<string> Urls => _app.Urls;

    /// <summary>Builds a server that does not listen yet.</summary>
    /// <param name="settings">What the operator wants.</param>
    /// <param name="proxies">Whose word about a client is believed.</param>
    /// <param name="geo">Where addresses are; null for no location.</param>
    /// <param name="observer">Hears of begins and ends.</param>
    /// <param name="loggers">Where log lines go.</param>
    /// <param name="time">The clock.</param>
    public static ChannelServerHost Build(
        Settings settings, TrustedProxies proxies, GeoDatabase? geo, IRelayObserver observer, ILoggerProvider loggers, TimeProvider time)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddProvider(loggers);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddRoutingCore();

        ClientFactsReader clients = new(
            proxies, geo, settings.DefaultLang, settings.LocalizeFor == LocalizeFor.Receiver, loggers.CreateLogger("client"), time);
        KestrelEngine engine = new(Environment.ProcessorCount, settings.ToLimits(), clients, observer, time);

        builder.WebHost.UseKestrelCore().UseSockets(static sockets =>
        {
            // A message goes from one socket to the other on the thread that read it; nothing here blocks.
            sockets.UnsafePreferInlineScheduling = true;
            // A write completes when the kernel has taken it: what waits belongs in the session's bounded outbox, not here.
            sockets.MaxWriteBufferSize = 2;
            sockets.MaxReadBufferSize = 64 * 1024;
        }).ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.RequestHeadersTimeout = KestrelEngine.HeadTimeout;
            kestrel.Limits.MaxRequestHeadersTotalSize = WebSockets.RequestHead.MaxBytes;
            kestrel.Limits.MaxRequestHeaderCount = WebSockets.RequestHead.MaxFields;
            // Nothing here takes a body.
            kestrel.Limits.MaxRequestBodySize = 0;
            foreach (IPAddress address in settings.ListenAddresses())
                kestrel.Listen(address, settings.Port, listen => UseEngine(listen, engine));
        });

        WebApplication app = builder.Build();
        app.Map("/v1/ws/{channel?}", context => LateUpgrade.HandleAsync(context, engine));
        return new ChannelServerHost(app, engine, settings);
    }

    /// <summary>Starts to listen.</summary>
    /// <returns>Null when it does; else, in one line, why it cannot.</returns>
    public async Task<string?> StartAsync()
    {
        try
        {
            await _app.StartAsync();
            return null;
        }
        catch (Exception fault) when (fault is IOException or SocketException)
        {
            SocketError error = (fault as SocketException ?? fault.InnerException as SocketException ?? fault.InnerException?.InnerException as SocketException)
                ?.SocketErrorCode ?? SocketError.SocketError;
            string why = error switch
            {
                SocketError.AccessDenied => "no permission; ports below 1024 need a privilege",
                SocketError.AddressNotAvailable => "this machine does not have the address",
                _ when fault.InnerException is AddressInUseException || error == SocketError.AddressAlreadyInUse => "the port is in use",
                _ => fault.Message,
            };
            return $"cannot listen on {_settings.Hostname} port {_settings.Port}: {why}";
        }
    }

    /// <summary>Ends every session with a close frame, what was accepted before it first, and stops to listen.</summary>
    public async Task StopAsync()
    {
        _engine.Stop();
        using CancellationTokenSource patience = new(_settings.ShutdownTimeout);
        await _app.StopAsync(patience.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _engine.DisposeAsync();
    }

    private static void UseEngine(ListenOptions listen, KestrelEngine engine)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => connection => engine.HandleAsync(connection, next));
    }

    /// <summary>Signals are the program's affair: a library that owned them could not be embedded.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
