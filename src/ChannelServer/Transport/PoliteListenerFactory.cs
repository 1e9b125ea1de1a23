using System.Net;
using System.Net.Sockets;
using ChannelServer.Admission;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace ChannelServer.Transport;

/// <summary>
/// Kestrel's transport of sockets with a bound and another end. It counts what it accepts, and leaves in the kernel's queue what there is no room for: Kestrel
/// looks at a connection on another thread, and on a busy machine would accept until no descriptor is left, without which the runtime ends the process. And
/// who waits in the queue when the server stops is answered: the platform's own closes the listener on them, and the kernel resets every one.
/// </summary>
/// <param name="options">Of the connections.</param>
/// <param name="sockets">Counts the connections; who serves one takes it off again.</param>
/// <param name="makeRoom">Gives up the connection that is worth least, if one is worth little.</param>
/// <param name="failures">Told when accepting fails.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">For Kestrel's transport.</param>
internal sealed class PoliteListenerFactory(
    SocketConnectionFactoryOptions options, ConnectionCap sockets, Action makeRoom, AcceptFailures failures, TimeProvider time, ILogger logger)
    : IConnectionListenerFactory
{
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        Socket socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
        try
        {
            // Accepted sockets inherit it. Left to itself the kernel hides megabytes from the outbox of a slow reader.
            socket.SendBufferSize = ChannelEngine.SendBuffer;
            socket.Listen(PoliteListener.Backlog);
            return ValueTask.FromResult<IConnectionListener>(
                new PoliteListener(socket, new SocketConnectionContextFactory(options, logger), sockets, makeRoom, failures, time));
        }
        catch (SocketException)
        {
            socket.Dispose();
            throw;
        }
    }

    private sealed class PoliteListener(
        Socket socket, SocketConnectionContextFactory connections, ConnectionCap sockets, Action makeRoom, AcceptFailures failures, TimeProvider time)
        : IConnectionListener
    {
        /// <summary>Connections that may wait to be accepted; the kernel cuts it to its own limit.</summary>
        public const int Backlog = 4096;

        /// <summary>How long no connection is accepted when there is no descriptor or memory for it. It stays in the queue.</summary>
        private static readonly TimeSpan _pause = TimeSpan.FromMilliseconds(50);

        /// <summary>How long until it is looked again whether somebody has gone.</summary>
        private static readonly TimeSpan _overrunPause = TimeSpan.FromMilliseconds(2);

        private readonly CancellationTokenSource _unbinding = new();

        public EndPoint EndPoint { get; } = socket.LocalEndPoint!;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (!_unbinding.IsCancellationRequested)
            {
                Socket? accepted = null;
                try
                {
                    while (sockets.IsOverrun)
                    {
                        makeRoom();
                        await Task.Delay(_overrunPause, time, _unbinding.Token);
                    }
                    accepted = await socket.AcceptAsync(_unbinding.Token);
                    accepted.NoDelay = true;
                    ConnectionContext connection = connections.Create(accepted);
                    sockets.Enter();
                    return connection;
                }
                catch (SocketException fault) when (accepted is not null || IsOfClient(fault))
                {
                    // That connection was gone before we came; the next one may not be.
                    accepted?.Dispose();
                }
                catch (SocketException fault)
                {
                    failures.Report(fault.Message);
                    await Task.Delay(_pause, time, _unbinding.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
                catch (Exception end) when (end is OperationCanceledException or ObjectDisposedException)
                {
                    break;
                }
            }
            return null;
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            await _unbinding.CancelAsync();
            List<Task> last = [];
            try
            {
                // No more than may have waited: who floods the door does not keep it open.
                for (int left = Backlog; left > 0 && socket.Poll(0, SelectMode.SelectRead); left--)
                {
                    if (await TryAcceptAsync(cancellationToken) is { } late)
                        last.Add(AnswerAsync(late));
                }
            }
            catch (Exception end) when (end is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // Nobody is left, or nobody may wait any more.
            }
            socket.Dispose();
            await Task.WhenAll(last);
        }

        public ValueTask DisposeAsync()
        {
            socket.Dispose();
            _unbinding.Dispose();
            connections.Dispose();
            return ValueTask.CompletedTask;
        }

        /// <summary>Accepts one who waits; null when he was gone before we came, which is no reason to leave the others waiting.</summary>
        private async Task<Socket?> TryAcceptAsync(CancellationToken cancellationToken)
        {
            try
            {
                return await socket.AcceptAsync(cancellationToken);
            }
            catch (SocketException fault) when (IsOfClient(fault))
            {
                return null;
            }
        }

        private static bool IsOfClient(SocketException fault) => fault.SocketErrorCode is SocketError.ConnectionAborted or SocketError.ConnectionReset;

        /// <summary>Hears what one wants, and says that it is too late, whatever it is.</summary>
        private async Task AnswerAsync(Socket late)
        {
            using CancellationTokenSource patience = new(ChannelEngine.LastCall, time);
            byte[] buffer = new byte[Math.Max(ErrorResponse.MaxSize, 4096)];
            try
            {
                if (await late.ReceiveAsync(buffer, patience.Token) == 0)
                    return;
                int written = ErrorResponse.Write(503, 1, time.GetUtcNow(), buffer);
                await late.SendAsync(buffer.AsMemory(0, written), patience.Token);
                late.Shutdown(SocketShutdown.Send);
                // Closing on unread bytes would reset the answer away.
                while (await late.ReceiveAsync(buffer, patience.Token) > 0)
                    continue;
            }
            catch (Exception gone) when (gone is SocketException or OperationCanceledException)
            {
                // It said nothing, or has left.
            }
            finally
            {
                late.Dispose();
            }
        }
    }
}
