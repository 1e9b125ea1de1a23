using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Admission;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.WebSockets;
using Microsoft.AspNetCore.Connections.Features;

namespace ChannelServer.Transport;

/// <summary>A driver with all its shards: it owns the sockets and threads that carry the channels.</summary>
/// <param name="shards">How many shards it drives.</param>
/// <param name="clients">Tells who a client is.</param>
/// <param name="admission">Decides who comes in.</param>
internal abstract class ChannelEngine(int shards, ClientFactsReader clients, AdmissionControl admission) : IAsyncDisposable
{
    /// <summary>How long a request head may take: 408 after that.</summary>
    public static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Octets that the kernel queues for one socket, which it doubles for its own bookkeeping. Bounds what a slow reader costs: left to
    /// itself the kernel queued 3.8 MB for one. A good part of it has to drain before the kernel reports room: at 64 kbit/s that takes longer than a
    /// write may be stuck, so the drivers look for progress themselves.
    /// </summary>
    public const int SendBuffer = 32 * 1024;

    /// <summary>Milliseconds by which a deadline may be late. All deadlines are seconds; a thousand wake-ups a second are not free.</summary>
    private const int DeadlineGrain = 10;

    /// <summary>How long those who are at the door when it closes have to say what they want, and to hear that it is too late.</summary>
    public static readonly TimeSpan LastCall = TimeSpan.FromMilliseconds(250);

    private int _nextShard;
    private int _lateUpgrades;

    /// <summary>Whether upgrades are under way that came back from the HTTP server. They need their shard until their connections are released.</summary>
    public bool HasLateUpgrades => Volatile.Read(ref _lateUpgrades) > 0;

    /// <summary>Tells who a client is.</summary>
    public ClientFactsReader Clients => clients;

    /// <summary>Decides who comes in.</summary>
    public AdmissionControl Admission => admission;

    /// <summary>
    /// Ends every session with 1001, after what was accepted has been sent, and takes no new ones. Returns when all sockets of its own
    /// are closed or the patience is over.
    /// </summary>
    /// <param name="window">Over what time the ends are spread.</param>
    /// <param name="patience">How long sessions may take to close after that.</param>
    /// <param name="hurry">Ends everything at once.</param>
    public abstract Task StopAsync(TimeSpan window, TimeSpan patience, CancellationToken hurry);

    public abstract ValueTask DisposeAsync();

    /// <summary>
    /// How long to wait for a deadline that is so far away, in whole grains: a wait that ends early would only spin, and pings that fall due one by one
    /// are written together.
    /// </summary>
    public static double MillisecondsFor(TimeSpan distance) => Math.Max(0, Math.Ceiling(distance.TotalMilliseconds / DeadlineGrain) * DeadlineGrain);

    /// <summary>Makes a session on pipes of a right upgrade, for the shard that owns its channel, unless it is not admitted.</summary>
    /// <param name="head">The request head.</param>
    /// <param name="channelId">What stands for the channel in the path; empty for a new one.</param>
    /// <param name="peer">The address of the connection's other end.</param>
    /// <param name="connection">The connection's bytes, and how to cut it.</param>
    /// <param name="sendsResponse">Whether the session has to send the 101.</param>
    /// <returns>A refusal, or a session for <see cref="AskAsync"/>; whoever runs it gives its ticket back.</returns>
    public RequestOutcome Admit(
        in RequestHead head, ReadOnlySpan<byte> channelId, IPAddress? peer, PipeConnection connection, bool sendsResponse)
    {
        ClientAddress client = Clients.ReadAddress(head, peer);
        Refusal refusal = admission.Admit(head, client.Address, channelId.IsEmpty, out Ticket ticket);
        if (!refusal.IsNone)
            return RequestOutcome.Refused(refusal);
        PipeSession? session = null;
        try
        {
            int owner = ChannelId.TryParse(channelId, out ChannelId id)
                ? id.ShardOf(shards)
                : (int)((uint)Interlocked.Increment(ref _nextShard) % (uint)shards);
            session = new PipeSession(connection, MailboxOf(owner)) { Arrival = Describe(head, channelId, client, sendsResponse), Ticket = ticket };
            return RequestOutcome.Admitted(session);
        }
        finally
        {
            if (session is null)
                admission.Release(ref ticket);
        }
    }

    /// <summary>The answer to a request that wants a channel, but wrongly.</summary>
    /// <param name="head">The request head.</param>
    /// <param name="fault">What is wrong with it.</param>
    /// <param name="peer">The address of the connection's other end.</param>
    public Refusal RefuseRequest(in RequestHead head, RefusalReason fault, IPAddress? peer) =>
        admission.RefuseRequest(fault, Clients.FindAddress(head, peer));

    /// <summary>Asks whoever has to be asked before an admitted session may run.</summary>
    /// <returns>No refusal, or the answer: then the session never was, and its ticket is given back.</returns>
    public async ValueTask<Refusal> AskAsync(PipeSession session)
    {
        bool isWelcome = false;
        try
        {
            IPAddress? address = session.Arrival!.Visitor.Address;
            Refusal refusal = admission.MustAsk(address) ? await admission.AskAsync(address!) : default;
            isWelcome = refusal.IsNone;
            return refusal;
        }
        finally
        {
            if (!isWelcome)
                admission.Release(ref session.Ticket);
        }
    }

    /// <summary>An admitted upgrade comes back from the HTTP server; to be followed by <see cref="EndLateUpgrade"/>.</summary>
    public void BeginLateUpgrade() => Interlocked.Increment(ref _lateUpgrades);

    /// <summary>Its connection is released, or it was refused.</summary>
    public void EndLateUpgrade() => Interlocked.Decrement(ref _lateUpgrades);

    /// <summary>Takes out of a request what its session needs, so that the request's bytes may go.</summary>
    protected Arrival Describe(in RequestHead head, ReadOnlySpan<byte> channelId, in ClientAddress client, bool sendsResponse)
    {
        Visitor visitor = Clients.Read(head, client);
        byte[] response = [];
        if (sendsResponse)
        {
            Span<byte> room = stackalloc byte[UpgradeRequest.MaxResponseSize];
            response = room[..UpgradeRequest.WriteResponse(head, visitor.Version.Subprotocol(), room)].ToArray();
        }
        return new Arrival(channelId.ToArray(), visitor, response);
    }

    /// <summary>Has all shards leave the buffers that they keep for reuse to the collector, soon. From any thread.</summary>
    public void ReleaseBuffers()
    {
        for (int shard = 0; shard < shards; shard++)
            MailboxOf(shard).ReleaseBuffers();
    }

    /// <summary>The mailbox of a shard.</summary>
    protected abstract IShardMailbox MailboxOf(int shard);
}

/// <summary>A connection that is carried on pipes.</summary>
/// <param name="Pipes">Its bytes.</param>
/// <param name="Socket">The socket to half-close; null where the pipes are not a bare socket's.</param>
/// <param name="Lifetime">Cuts it.</param>
internal sealed record PipeConnection(IDuplexPipe Pipes, Socket? Socket, IConnectionLifetimeFeature Lifetime)
{
    /// <summary>Whether nobody else writes to the socket.</summary>
    public bool WritesToSocket { get; init; }
}
