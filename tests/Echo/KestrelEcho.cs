using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Relay;
using ChannelServer.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;

namespace ChannelServer.Echo;

/// <summary>A middleware on Kestrel's connections, where the Kestrel engine sits too, with its transport options.</summary>
internal sealed class KestrelEcho : EchoServer
{
    private readonly WebApplication _app;

    private KestrelEcho(WebApplication app) => _app = app;

    public override IPEndPoint EndPoint
    {
        get
        {
            Uri uri = new(_app.Urls.First());
            return new IPEndPoint(IPAddress.Parse(uri.Host), uri.Port);
        }
    }

    public static async Task<KestrelEcho> StartAsync(IPEndPoint endPoint, FrameLimits limits)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore()
            .UseSockets(static sockets =>
            {
                sockets.UnsafePreferInlineScheduling = true;
                sockets.MaxWriteBufferSize = 2;
            })
            .ConfigureKestrel(kestrel => kestrel.Listen(
                endPoint, listen => listen.Use(_ => connection => EchoAsync(connection, new EchoSession(limits)))));
        WebApplication app = builder.Build();
        await app.StartAsync();
        return new KestrelEcho(app);
    }

    public override async ValueTask DisposeAsync()
    {
        using CancellationTokenSource patience = new(CloseTimeout);
        await _app.StopAsync(patience.Token);
        await _app.DisposeAsync();
    }

    private static async Task EchoAsync(ConnectionContext connection, EchoSession session)
    {
        (PipeReader input, PipeWriter output) = (connection.Transport.Input, connection.Transport.Output);
        using Timer timeout = new(static reader => ((PipeReader)reader!).CancelPendingRead(), input, Timeout.Infinite, Timeout.Infinite);
        bool isHalfClosed = false;
        try
        {
            while (session.Phase != SessionPhase.Finished)
            {
                ReadResult result = await input.ReadAsync(connection.ConnectionClosed);
                foreach (ReadOnlyMemory<byte> segment in result.Buffer)
                    session.Receive(segment.ToArray());
                input.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                    session.EndInput();
                if (result.IsCanceled)
                    session.Finish();
                if (!session.Unsent.IsEmpty && session.Phase != SessionPhase.Finished)
                {
                    int length = session.Unsent.Length;
                    output.Write(session.Unsent);
                    await output.FlushAsync();
                    session.Sent(length);
                }
                if (session.Phase == SessionPhase.Lingering && !isHalfClosed)
                {
                    isHalfClosed = true;
                    connection.Features.Get<IConnectionSocketFeature>()!.Socket.Shutdown(SocketShutdown.Send);
                    timeout.Change(CloseTimeout, Timeout.InfiniteTimeSpan);
                }
            }
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The client has left.
            session.Finish();
        }
    }
}
