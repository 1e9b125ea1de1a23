using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Admission;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using ConnectionQueue = System.Threading.Channels.Channel<Microsoft.AspNetCore.Connections.ConnectionContext>;

namespace ChannelServer.Transport.Linux;

/// <summary>The place where Kestrel "listens" for what the Linux engine hands over.</summary>
internal sealed class HandoverEndPoint(string description) : EndPoint
{
    /// <summary>Where the connections really come in.</summary>
    public override string ToString() => description;
}

/// <summary>
/// A transport for Kestrel without a listening socket: its connections are those that the Linux engine has accepted and begun to read.
/// </summary>
/// <param name="sockets">Counts the connections until Kestrel has closed them.</param>
/// <param name="logger">For Kestrel's transport.</param>
internal sealed class HandoverListenerFactory(ConnectionCap sockets, ILogger logger)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector, IConnectionListener
{
    /// <summary>Connections that may wait for Kestrel to take them; one more is closed.</summary>
    private const int Waiting = 1024;

    // A write completes when the kernel has taken it, or the half-close behind a late session's close frame would overtake that.
    private readonly SocketConnectionContextFactory _connections = new(new SocketConnectionFactoryOptions { MaxWriteBufferSize = 2 }, logger);
    private readonly ConnectionQueue _queue = System.Threading.Channels.Channel.CreateBounded<ConnectionContext>(Waiting);

    public EndPoint EndPoint { get; private set; } = new HandoverEndPoint("");

    public bool CanBind(EndPoint endpoint) => endpoint is HandoverEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        EndPoint = endpoint;
        return ValueTask.FromResult<IConnectionListener>(this);
    }

    /// <summary>Gives a socket to Kestrel.</summary>
    /// <param name="fd">The socket.</param>
    /// <param name="read">What has been read from it already.</param>
    /// <returns>False when Kestrel takes no more; then the socket is still the caller's.</returns>
    [SuppressMessage("Reliability", "CA2000:Dispose objects before losing scope", Justification = "Kestrel disposes of its connections.")]
    public bool TryHandOver(int fd, byte[] read)
    {
        if (_queue.Reader.Count >= Waiting)
            return false;
        Socket socket = new(new SafeSocketHandle(fd, ownsHandle: true));
        ConnectionContext connection = _connections.Create(socket);
        connection.Features.Set<IBytesAlreadyRead>(new BytesAlreadyRead(read));
        if (!_queue.Writer.TryWrite(connection))
        {
            // Kestrel has stopped.
            connection.Abort();
            sockets.Leave();
        }
        return true;
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _queue.Reader.WaitToReadAsync(cancellationToken))
        {
            if (_queue.Reader.TryRead(out ConnectionContext? connection))
                return connection;
        }
        return null;
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _queue.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// The connection middleware that puts what has been read before what is still to come. A copy, since these connections are health
    /// checks and the like, and few.
    /// </summary>
    public async Task ReplayAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        IDuplexPipe transport = connection.Transport;
        Pipe replayed = new();
        replayed.Writer.Write(connection.Features.Get<IBytesAlreadyRead>()!.Bytes);
        Task copying = CopyAsync(transport.Input, replayed.Writer);
        connection.Transport = new Replayed(replayed.Reader, transport.Output);
        try
        {
            await next(connection);
        }
        finally
        {
            sockets.Leave();
            connection.Transport = transport;
            transport.Input.CancelPendingRead();
            await replayed.Reader.CompleteAsync();
            await copying;
        }
    }

    private static async Task CopyAsync(PipeReader source, PipeWriter destination)
    {
        Exception? fault = null;
        try
        {
            FlushResult flushed = await destination.FlushAsync();
            while (!flushed.IsCompleted)
            {
                ReadResult result = await source.ReadAsync();
                foreach (ReadOnlyMemory<byte> segment in result.Buffer)
                    destination.Write(segment.Span);
                source.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted || result.IsCanceled)
                    break;
                flushed = await destination.FlushAsync();
            }
        }
#pragma warning disable CA1031 // Whatever it is, whoever reads the copy has to hear of it.
        catch (Exception broken)
#pragma warning restore CA1031
        {
            fault = broken;
        }
        await destination.CompleteAsync(fault);
    }

    private sealed record Replayed(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>What has been read from a connection before Kestrel got it.</summary>
    private interface IBytesAlreadyRead
    {
        byte[] Bytes { get; }
    }

    private sealed record BytesAlreadyRead(byte[] Bytes) : IBytesAlreadyRead;
}
