using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Admission;
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
internal sealed class KestrelEngine : ChannelEngine
{
    /// <summary>Octets that Kestrel receives for a connection before its shard takes them off the pipe: a block of its memory.</summary>
    public const int PipeOctets = 4096;

    /// <summary>
    /// Octets that a connection with a channel may come to cost, beyond its share of buffers: 6 KiB for itself (measured), what is in its pipe, a write that
    /// waits, and the least that everybody may hold in three places.
    /// </summary>
    public const int ConnectionOctets = 20 * 1024;

    /// <summary>How long a client may take to read an error answer and close, before the connection is cut.</summary>
    private static readonly TimeSpan _answerTimeout = TimeSpan.FromSeconds(2);

    /// <summary>How long a connection may say nothing while memory is short and others come.</summary>
    private static readonly TimeSpan _patienceWhenShort = TimeSpan.FromSeconds(1);

    private readonly PipeShard[] _shards;
    private readonly TimeProvider _time;
    private readonly UndecidedConnections _undecided;
    private readonly CancellationTokenSource _lastCall = new();

    /// <param name="shards">How many shards; one per core is right.</param>
    /// <param name="limits">The limits to keep.</param>
    /// <param name="clients">Tells who a client is.</param>
    /// <param name="admission">Decides who comes in.</param>
    /// <param name="observer">Hears of begins and ends.</param>
    /// <param name="time">The clock.</param>
    public KestrelEngine(
        int shards, Limits limits, ClientFactsReader clients, AdmissionControl admission, IRelayObserver observer, TimeProvider time)
        : base(shards, clients, admission)
    {
        _time = time;
        _undecided = new UndecidedConnections(time, limits.BufferedOctets > 0 ? limits.BufferedOctets * shards : long.MaxValue);
        _shards = [.. Enumerable.Range(0, shards)
            .Select(index => new PipeShard(index, shards, limits, observer, time, new RandomReserve().Fill))];
    }

    /// <summary>The connection middleware. The listener has counted the connection.</summary>
    /// <remarks>What it holds while it waits, each idle connection costs. So all that comes before a session runs is in methods of its own.</remarks>
    public async Task HandleAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        // Without a descriptor left the runtime, which opens files as it goes, ends the process. And a request head takes memory before anybody
        // can refuse it.
        if (Admission.Sockets.IsExceeded)
            MakeRoom();
        else if (!Admission.HasMemory)
            _undecided.CutOldest(_patienceWhenShort);
        PipeSession? session = null;
        try
        {
            session = await ReceiveAsync(connection, next);
            if (session is not null)
                await session.RunAsync();
        }
        finally
        {
            if (session is not null)
                Admission.Release(ref session.Ticket);
            Admission.Sockets.Leave();
        }
    }

    /// <summary>Cuts the connection that is worth least: of those that have not said what they want, or have had their answer, the oldest.</summary>
    public void MakeRoom() => _undecided.CutOldest(TimeSpan.Zero);

    /// <inheritdoc/>
    /// <remarks>The sockets are Kestrel's: it waits for them when it is stopped itself.</remarks>
    public override async Task StopAsync(TimeSpan window, TimeSpan patience, CancellationToken hurry)
    {
        foreach (PipeShard shard in _shards)
            shard.Stop(window);
        await using CancellationTokenRegistration registration = hurry.Register(() =>
        {
            foreach (PipeShard shard in _shards)
                shard.Stop(TimeSpan.Zero);
        });
        await Task.WhenAll(_shards.Select(static shard => shard.Ended));
        await _lastCall.CancelAsync();
    }

    public override ValueTask DisposeAsync()
    {
        foreach (PipeShard shard in _shards)
            shard.Dispose();
        _lastCall.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override IShardMailbox MailboxOf(int shard) => _shards[shard];

    /// <summary>Finds out what a connection wants, and serves all that is no session.</summary>
    /// <returns>The session that may run.</returns>
    private async Task<PipeSession?> ReceiveAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        RequestOutcome request = await ReadHeadAsync(connection);
        if (request.Session is { } session)
        {
            Refusal refusal = await AskAsync(session);
            if (refusal.IsNone)
                return session;
            request = RequestOutcome.Refused(refusal);
        }
        if (request.Kind == RequestOutcomeKind.Elsewhere)
            await next(connection);
        else if (request.Kind == RequestOutcomeKind.Refused)
            await AnswerAsync(connection, request.Refusal);
        return null;
    }

    /// <summary>Reads the head of a connection's first request, until it has come to something.</summary>
    private async ValueTask<RequestOutcome> ReadHeadAsync(ConnectionContext connection)
    {
        PipeReader input = connection.Transport.Input;
        LinkedListNode<UndecidedConnection> undecided = _undecided.Add(connection);
        try
        {
            return await ReadHeadAsync(connection, input, undecided);
        }
        finally
        {
            _undecided.Remove(undecided);
        }
    }

    private async ValueTask<RequestOutcome> ReadHeadAsync(
        ConnectionContext connection, PipeReader input, LinkedListNode<UndecidedConnection> undecided)
    {
        await using ITimer timer = _time.CreateTimer(
            static reader => ((PipeReader)reader!).CancelPendingRead(), input, HeadTimeout, Timeout.InfiniteTimeSpan);
        // Nothing has begun here yet, and what is on its way shall hear that it is too late. Kestrel has a token for each connection, but that
        // one would keep what is registered with it, given back or not, as long as the connection lives.
        CancellationToken stopping = _lastCall.Token;
        await using CancellationTokenRegistration registration = stopping.UnsafeRegister(
            static timer => ((ITimer)timer!).Change(LastCall, Timeout.InfiniteTimeSpan), timer);
        while (true)
        {
            ReadResult result;
            try
            {
                result = await input.ReadAsync();
            }
            catch (Exception fault) when (fault is IOException or OperationCanceledException or SocketException)
            {
                return RequestOutcome.Gone;
            }
            ReadOnlySequence<byte> buffer = result.Buffer;
            if (result.IsCanceled)
            {
                // A client that never said a word reads no answer.
                bool deservesAnswer = !buffer.IsEmpty && !stopping.IsCancellationRequested;
                input.AdvanceTo(buffer.End);
                return deservesAnswer
                    ? RequestOutcome.Refused(Admission.RefuseHead(RefusalReason.HeadTimeout, PeerOf(connection)))
                    : RequestOutcome.Gone;
            }
            RequestOutcome request = Route(connection, buffer);
            if (request.Kind != RequestOutcomeKind.Incomplete)
            {
                // What goes on to the HTTP server stays unread, and is shown to it at once.
                SequencePosition position = request.Kind == RequestOutcomeKind.Elsewhere ? buffer.Start : buffer.End;
                input.AdvanceTo(position, position);
                return request;
            }
            long blocks = (buffer.Length + PipeOctets - 1) / PipeOctets;
            if (!_undecided.TryHold(undecided, blocks * PipeOctets) || !Admission.HasMemory)
            {
                input.AdvanceTo(buffer.End);
                return RequestOutcome.Refused(Admission.RefuseHeadForMemory(PeerOf(connection)));
            }
            input.AdvanceTo(buffer.Start, buffer.End);
            if (result.IsCompleted)
                return RequestOutcome.Gone;
        }
    }

    private RequestOutcome Route(ConnectionContext connection, in ReadOnlySequence<byte> buffer)
    {
        // One octet more than a head may have tells that it is too large.
        ReadOnlySequence<byte> start = buffer.Slice(0, Math.Min(buffer.Length, RequestHead.MaxBytes + 1));
        Span<byte> copy = stackalloc byte[start.IsSingleSegment ? 0 : (int)start.Length];
        if (!start.IsSingleSegment)
            start.CopyTo(copy);
        ReadOnlySpan<byte> bytes = start.IsSingleSegment ? start.FirstSpan : copy;
        HeadStatus parsed = RequestHead.TryParse(bytes, out RequestHead head);
        if (parsed == HeadStatus.Incomplete)
            return RequestOutcome.Incomplete;
        if (parsed != HeadStatus.Complete)
            return RequestOutcome.Refused(Admission.RefuseHead(ChannelRoute.FaultOf(parsed), PeerOf(connection)));
        ChannelRoute route = ChannelRoute.Of(head);
        if (route.Kind == RouteKind.Elsewhere)
            return RequestOutcome.Elsewhere;
        if (route.Kind == RouteKind.Refuse)
            return RequestOutcome.Refused(RefuseRequest(head, route.Fault, PeerOf(connection)));

        bool isEncrypted = connection.Features.Get<ITlsHandshakeFeature>() is not null;
        Socket? socket = isEncrypted ? null : connection.Features.Get<IConnectionSocketFeature>()?.Socket;
        PipeConnection pipes = new(connection.Transport, socket, connection.Features.Get<IConnectionLifetimeFeature>()!)
        {
            WritesToSocket = true,
        };
        RequestOutcome request = Admit(head, route.ChannelId, PeerOf(connection), pipes, sendsResponse: true);
        request.Session?.Begin(buffer.Slice(head.Length));
        return request;
    }

    private static IPAddress? PeerOf(ConnectionContext connection) => (connection.RemoteEndPoint as IPEndPoint)?.Address;

    /// <summary>Answers, half-closes, and reads on for a while, since closing on unread bytes would reset the answer away.</summary>
    private async Task AnswerAsync(ConnectionContext connection, Refusal refusal)
    {
        PipeReader input = connection.Transport.Input;
        LinkedListNode<UndecidedConnection>? undecided = null;
        try
        {
            Span<byte> response = connection.Transport.Output.GetSpan(ErrorResponse.MaxSize);
            int written = ErrorResponse.Write(refusal.Status, refusal.RetryAfter, _time.GetUtcNow(), response);
            connection.Transport.Output.Advance(written);
            await connection.Transport.Output.FlushAsync();
            connection.Features.Get<IConnectionSocketFeature>()?.Socket.Shutdown(SocketShutdown.Send);
            await using ITimer timer = _time.CreateTimer(
                static reader => ((PipeReader)reader!).CancelPendingRead(), input, _answerTimeout, Timeout.InfiniteTimeSpan);
            // Who has its answer can be spared, too.
            undecided = _undecided.Add(connection);
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
        finally
        {
            if (undecided is not null)
                _undecided.Remove(undecided);
        }
    }
}
