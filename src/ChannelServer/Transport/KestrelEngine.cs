using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.WebSockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace ChannelServer.Transport;

/// <summary>
/// The driver for every operating system. It sits in front of Kestrel's HTTP, on the connection itself: it reads the request head
/// with the same parser as every driver, keeps a channel upgrade for itself, and passes on anything else unread.
/// </summary>
internal sealed class KestrelEngine : IAsyncDisposable
{
    /// <summary>How long a request head may take: 408 after that.</summary>
    internal static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a client may take to read an error answer and close, before the connection is cut.</summary>
    private static readonly TimeSpan _answerTimeout = TimeSpan.FromSeconds(2);

    private readonly KestrelShard[] _shards;
    private readonly ClientFactsReader _clients;
    private readonly TimeProvider _time;
    private int _nextShard;

    /// <param name="shards">How many shards; one per core is right.</param>
    /// <param name="limits">The limits to keep.</param>
    /// <param name="clients">Tells who a client is.</param>
    /// <param name="observer">Hears of begins and ends.</param>
    /// <param name="time">The clock.</param>
    public KestrelEngine(int shards, Limits limits, ClientFactsReader clients, IRelayObserver observer, TimeProvider time)
    {
        _clients = clients;
        _time = time;
        _shards = [.. Enumerable.Range(0, shards)
            .Select(index => new KestrelShard(index, shards, limits, observer, time, RandomNumberGenerator.Fill))];
    }

    /// <summary>The connection middleware.</summary>
    public async Task HandleAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        (int status, KestrelSession? session) = await ReadHeadAsync(connection);
        if (session is not null)
            await RunAsync(session, connection.Transport);
        else if (status > 0)
            await AnswerAsync(connection, status);
        else if (status == 0)
            await next(connection);
    }

    /// <summary>Runs a session over pipes until it is finished.</summary>
    public static async Task RunAsync(KestrelSession session, IDuplexPipe pipes)
    {
        session.Enter();
        await session.Released;
        await pipes.Output.CompleteAsync();
        await pipes.Input.CompleteAsync();
    }

    /// <summary>Makes a session of an accepted upgrade, on the shard that owns its channel.</summary>
    /// <param name="head">The request head.</param>
    /// <param name="channelId">What stands for the channel in the path; empty for a new one.</param>
    /// <param name="peer">The address of the connection's other end.</param>
    /// <param name="pipes">The connection's bytes.</param>
    /// <param name="socket">The socket to half-close; null where the pipes are not a bare socket's.</param>
    /// <param name="abort">Cuts the connection.</param>
    /// <param name="sendsResponse">Whether the session has to send the 101.</param>
    public KestrelSession Admit(
        in RequestHead head, ReadOnlySpan<byte> channelId, IPAddress? peer, IDuplexPipe pipes, Socket? socket, Action abort, bool sendsResponse)
    {
        ClientFacts client = _clients.Read(head, peer);
        byte[] response = [];
        if (sendsResponse)
        {
            response = new byte[UpgradeRequest.ResponseSize];
            UpgradeRequest.WriteResponse(head, response);
        }
        int owner = ChannelId.TryParse(channelId, out ChannelId id)
            ? id.ShardOf(_shards.Length)
            : (int)((uint)Interlocked.Increment(ref _nextShard) % (uint)_shards.Length);
        return new KestrelSession(pipes, socket, abort, _shards[owner])
        {
            Arrival = new Arrival(channelId.ToArray(), new Visitor(client.Address, client.Sender, client.Languages), response),
        };
    }

    /// <summary>Ends every session with 1001, after what was accepted has been sent.</summary>
    public void Stop()
    {
        foreach (KestrelShard shard in _shards)
            shard.Stop();
    }

    public ValueTask DisposeAsync()
    {
        foreach (KestrelShard shard in _shards)
            shard.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Reads the head of a connection's first request.</summary>
    /// <returns>A session, or the status of an error answer, or 0 for the HTTP server, or -1 when there is nobody to answer.</returns>
    private async ValueTask<(int Status, KestrelSession? Session)> ReadHeadAsync(ConnectionContext connection)
    {
        PipeReader input = connection.Transport.Input;
        await using ITimer timer = _time.CreateTimer(
            static reader => ((PipeReader)reader!).CancelPendingRead(), input, HeadTimeout, Timeout.InfiniteTimeSpan);
        while (true)
        {
            ReadResult result;
            try
            {
                result = await input.ReadAsync();
            }
            catch (Exception fault) when (fault is IOException or OperationCanceledException)
            {
                return (-1, null);
            }
            ReadOnlySequence<byte> buffer = result.Buffer;
            if (result.IsCanceled)
            {
                bool isSilent = buffer.IsEmpty;
                input.AdvanceTo(buffer.End);
                return (isSilent ? -1 : 408, null);
            }
            (int status, long consumed, KestrelSession? session) = Route(connection, buffer);
            if (status != IncompleteHead)
            {
                // What goes on to the HTTP server stays unread, and is shown to it at once.
                SequencePosition position = buffer.GetPosition(consumed);
                input.AdvanceTo(position, position);
                return (status, session);
            }
            input.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
                return (-1, null);
        }
    }

    private const int IncompleteHead = -2;

    private (int Status, long Consumed, KestrelSession? Session) Route(ConnectionContext connection, in ReadOnlySequence<byte> buffer)
    {
        // One octet more than a head may have tells that it is too large.
        ReadOnlySequence<byte> start = buffer.Slice(0, Math.Min(buffer.Length, RequestHead.MaxBytes + 1));
        ReadOnlySpan<byte> bytes = start.IsSingleSegment ? start.FirstSpan : start.ToArray();
        HeadStatus parsed = RequestHead.TryParse(bytes, out RequestHead head);
        if (parsed == HeadStatus.Incomplete)
            return (IncompleteHead, 0, null);
        if (parsed != HeadStatus.Complete)
            return (ChannelRoute.StatusOf(parsed), buffer.Length, null);
        ChannelRoute route = ChannelRoute.Of(head);
        if (route.Kind == RouteKind.Elsewhere)
            return (0, 0, null);
        if (route.Kind == RouteKind.Answer)
            return (route.Status, buffer.Length, null);

        bool isEncrypted = connection.Features.Get<ITlsHandshakeFeature>() is not null;
        Socket? socket = isEncrypted ? null : connection.Features.Get<IConnectionSocketFeature>()?.Socket;
        IPAddress? peer = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        KestrelSession session = Admit(head, route.ChannelId, peer, connection.Transport, socket, connection.Abort, sendsResponse: true);
        return (route.Status, head.Length, session);
    }

    /// <summary>Answers, half-closes, and reads on for a while, since closing on unread bytes would reset the answer away.</summary>
    private async Task AnswerAsync(ConnectionContext connection, int status)
    {
        PipeReader input = connection.Transport.Input;
        try
        {
            int written = ErrorResponse.Write(status, _time.GetUtcNow(), connection.Transport.Output.GetSpan(ErrorResponse.MaxSize));
            connection.Transport.Output.Advance(written);
            await connection.Transport.Output.FlushAsync();
            connection.Features.Get<IConnectionSocketFeature>()?.Socket.Shutdown(SocketShutdown.Send);
            await using ITimer timer = _time.CreateTimer(
                static reader => ((PipeReader)reader!).CancelPendingRead(), input, _answerTimeout, Timeout.InfiniteTimeSpan);
            while (true)
            {
                ReadResult rest = await input.ReadAsync();
                input.AdvanceTo(rest.Buffer.End);
                if (rest.IsCompleted || rest.IsCanceled)
                    return;
            }
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The client has left; there is nobody to answer.
        }
    }
}
