using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.WebSockets;
using Microsoft.AspNetCore.Connections.Features;

namespace ChannelServer.Transport;

/// <summary>A driver with all its shards: it owns the sockets and threads that carry the channels.</summary>
/// <param name="shards">How many shards it drives.</param>
/// <param name="clients">Tells who a client is.</param>
internal abstract class ChannelEngine(int shards, ClientFactsReader clients) : IAsyncDisposable
{
    /// <summary>How long a request head may take: 408 after that.</summary>
    public static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Octets that the kernel queues for one socket, which it doubles for its own bookkeeping. Bounds what a slow reader costs: left to
    /// itself the kernel queued 3.8 MB for one.
    /// </summary>
    public const int SendBuffer = 64 * 1024;

    private int _nextShard;

    /// <summary>How many shards there are.</summary>
    protected int ShardCount => shards;

    /// <summary>Tells who a client is.</summary>
    public ClientFactsReader Clients => clients;

    /// <summary>
    /// Ends every session with 1001, after what was accepted has been sent, and takes no new ones. Returns when all sockets of its own
    /// are closed or the patience is over.
    /// </summary>
    public abstract Task StopAsync(TimeSpan patience);

    public abstract ValueTask DisposeAsync();

    /// <summary>Makes a session on pipes of an accepted upgrade, for the shard that owns its channel.</summary>
    /// <param name="head">The request head.</param>
    /// <param name="channelId">What stands for the channel in the path; empty for a new one.</param>
    /// <param name="peer">The address of the connection's other end.</param>
    /// <param name="connection">The connection's bytes, and how to cut it.</param>
    /// <param name="sendsResponse">Whether the session has to send the 101.</param>
    public PipeSession Admit(in RequestHead head, ReadOnlySpan<byte> channelId, IPAddress? peer, PipeConnection connection, bool sendsResponse)
    {
        int owner = ChannelId.TryParse(channelId, out ChannelId id)
            ? id.ShardOf(shards)
            : (int)((uint)Interlocked.Increment(ref _nextShard) % (uint)shards);
        return new PipeSession(connection, MailboxOf(owner)) { Arrival = Describe(head, channelId, peer, sendsResponse) };
    }

    /// <summary>Takes out of a request what its session needs, so that the request's bytes may go.</summary>
    protected Arrival Describe(in RequestHead head, ReadOnlySpan<byte> channelId, IPAddress? peer, bool sendsResponse)
    {
        byte[] response = [];
        if (sendsResponse)
        {
            response = new byte[UpgradeRequest.ResponseSize];
            UpgradeRequest.WriteResponse(head, response);
        }
        return new Arrival(channelId.ToArray(), Clients.Read(head, peer), response);
    }

    /// <summary>The mailbox of a shard.</summary>
    protected abstract IShardMailbox MailboxOf(int shard);
}

/// <summary>A connection that is carried on pipes.</summary>
/// <param name="Pipes">Its bytes.</param>
/// <param name="Socket">The socket to half-close; null where the pipes are not a bare socket's.</param>
/// <param name="Lifetime">Cuts it.</param>
internal sealed record PipeConnection(IDuplexPipe Pipes, Socket? Socket, IConnectionLifetimeFeature Lifetime);
