// The relay on Kestrel and System.Net.WebSockets, as its documentation teaches. Arguments: port, heartbeat in seconds.
using System.Collections.Concurrent;
using System.Globalization;
using System.Net.WebSockets;
using ChannelServer.Bench.KestrelWebSockets;

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseUrls($"http://0.0.0.0:{args[0]}");
WebApplication app = builder.Build();
ConcurrentDictionary<string, Channel> channels = new();
app.UseWebSockets(new WebSocketOptions
{
    KeepAliveInterval = TimeSpan.FromSeconds(int.Parse(args[1], CultureInfo.InvariantCulture)),
    KeepAliveTimeout = TimeSpan.FromSeconds(30), // with a timeout the platform sends pings rather than pongs
});
app.Map("/v1/ws/{id?}", async (HttpContext context, string? id) =>
{
    if (!context.WebSockets.IsWebSocketRequest)
    {
        context.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
        return;
    }
    using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync();
    Channel? channel = id is null ? Channel.Open(channels) : channels.GetValueOrDefault(id);
    Participant participant = new(socket, context.Connection.RemoteIpAddress, context.Request.Headers.UserAgent);
    if (channel is null)
        await socket.CloseAsync((WebSocketCloseStatus)4404, "channel unavailable", context.RequestAborted);
    else if (!channel.TryJoin(participant))
        await socket.CloseAsync((WebSocketCloseStatus)4409, "channel full", context.RequestAborted);
    else
        await channel.ServeAsync(participant, context.RequestAborted);
});
await app.RunAsync();
