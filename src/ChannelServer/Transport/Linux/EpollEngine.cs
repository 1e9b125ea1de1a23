using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using ChannelServer.Admission;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.Telemetry;
using ChannelServer.WebSockets;

namespace ChannelServer.Transport.Linux;

/// <summary>
/// The driver for Linux: a thread per shard, each with its own listening sockets and epoll, nothing shared. What is no channel upgrade
/// it gives to Kestrel in the same process, bytes already read included.
/// </summary>
internal sealed class EpollEngine : ChannelEngine
{
    private readonly EpollShard[] _shards;
    private readonly HandoverListenerFactory _kestrel;
    private readonly AcceptFailures _failures;
    private readonly RelayTelemetry _telemetry;
    private int _asking;

    /// <param name="shards">How many shards; one per core is right.</param>
    /// <param name="addresses">Where to listen.</param>
    /// <param name="port">The port; 0 takes any free one.</param>
    /// <param name="limits">The limits to keep.</param>
    /// <param name="clients">Tells who a client is.</param>
    /// <param name="kestrel">Takes what is no channel upgrade.</param>
    /// <param name="admission">Decides who comes in.</param>
    /// <param name="observer">Hears of begins and ends.</param>
    /// <param name="telemetry">Hears of bugs.</param>
    /// <param name="failures">Told when descriptors run out.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="SocketException">It cannot listen there.</exception>
    public EpollEngine(
        int shards, IReadOnlyList<IPAddress> addresses, int port, Limits limits, ClientFactsReader clients, HandoverListenerFactory kestrel,
        AdmissionControl admission, IRelayObserver observer, RelayTelemetry telemetry, AcceptFailures failures, TimeProvider time)
        : base(shards, clients, admission)
    {
        _kestrel = kestrel;
        _failures = failures;
        _telemetry = telemetry;
        List<IPEndPoint> endPoints = Reserve(addresses, port);
        EndPoints = endPoints;
        _shards = new EpollShard[shards];
        for (int index = 0; index < shards; index++)
        {
            Listener[] listeners = [.. endPoints.Select(static endPoint => Listener.Open(endPoint))];
            _shards[index] = new EpollShard(this, index, shards, listeners, limits, observer, telemetry, time, new RandomReserve().Fill);
        }
    }

    /// <summary>Where it listens.</summary>
    public IReadOnlyList<IPEndPoint> EndPoints { get; }

    /// <summary>Starts the threads.</summary>
    public void Start()
    {
        for (int index = 0; index < _shards.Length; index++)
            _shards[index].Start(index);
    }

    /// <inheritdoc/>
    public override async Task StopAsync(TimeSpan window, TimeSpan patience, CancellationToken hurry)
    {
        foreach (EpollShard shard in _shards)
            shard.Stop(window, patience);
        await using CancellationTokenRegistration registration = hurry.Register(() =>
        {
            foreach (EpollShard shard in _shards)
                shard.Stop(TimeSpan.Zero, TimeSpan.Zero);
        });
        await Task.WhenAll(_shards.Select(static shard => shard.Stopped));
    }

    public override async ValueTask DisposeAsync()
    {
        foreach (EpollShard shard in _shards)
            await shard.DisposeAsync();
    }

    public EpollShard Shard(int index) => _shards[index];

    public Arrival DescribeArrival(in RequestHead head, ReadOnlySpan<byte> channelId, in ClientAddress client) =>
        Describe(head, channelId, client, sendsResponse: true);

    /// <summary>Whether connections are on their way to a shard while their reputation is asked for.</summary>
    public bool IsAsking => Volatile.Read(ref _asking) > 0;

    /// <summary>Asks for the reputation of a connection's client, and sends the connection on to its shard. No thread waits for that.</summary>
    /// <param name="session">The connection; the caller must not touch it again.</param>
    /// <param name="arrival">What it wants.</param>
    /// <param name="unread">What has been read behind the request.</param>
    /// <param name="owner">The shard of its channel.</param>
    public void Ask(SocketSession session, Arrival arrival, byte[] unread, EpollShard owner)
    {
        Interlocked.Increment(ref _asking);
        _ = AskAsync(session, arrival, unread, owner);
    }

    private async Task AskAsync(SocketSession session, Arrival arrival, byte[] unread, EpollShard owner)
    {
        Refusal refusal = default;
        try
        {
            refusal = await Admission.AskAsync(arrival.Visitor.Address!);
        }
#pragma warning disable CA1031 // A bug of ours keeps nobody out.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            _telemetry.Failed(bug);
        }
        owner.Post(session, arrival with { Refusal = refusal }, unread);
        // Behind the letter: a shard that stops sees one or the other.
        Interlocked.Decrement(ref _asking);
    }

    /// <summary>Gives a connection to Kestrel.</summary>
    /// <param name="fd">The socket; the caller must not touch it again.</param>
    /// <param name="read">What has been read from it.</param>
    public void HandToKestrel(int fd, byte[] read)
    {
        if (_kestrel.TryHandOver(fd, read))
            return;
        _ = LibC.Close(fd);
        Admission.Sockets.Leave();
    }

    /// <summary>An accept failed, most likely for want of descriptors or memory.</summary>
    public void ReportAcceptFailure(int errno) => _failures.Report(Marshal.GetPInvokeErrorMessage(errno));

    protected override IShardMailbox MailboxOf(int shard) => _shards[shard];

    /// <summary>Finds out whether the port is free at all addresses, and which one port 0 becomes.</summary>
    private static List<IPEndPoint> Reserve(IReadOnlyList<IPAddress> addresses, int port)
    {
        List<IPEndPoint> endPoints = [];
        foreach (IPAddress address in addresses)
        {
            endPoints.Add(Listener.Probe(new IPEndPoint(address, port)));
            // All addresses get the same port.
            port = endPoints[0].Port;
        }
        return endPoints;
    }
}
