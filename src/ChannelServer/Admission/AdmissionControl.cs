using System.Net;
using ChannelServer.Reputation;
using ChannelServer.Telemetry;
using ChannelServer.WebSockets;

namespace ChannelServer.Admission;

/// <summary>
/// Decides about every channel upgrade, after its request has been parsed and before a session exists: whether it is admitted, or with which
/// status it is answered. The only such place; drivers ask it, and give back the ticket when the connection is closed. Safe for any thread.
/// </summary>
internal sealed class AdmissionControl
{
    private static readonly TimeSpan _fullWait = TimeSpan.FromSeconds(5);

    private readonly AllowedOrigins _origins;
    private readonly AddressLimiter _limiter;
    private readonly ConnectionCap _cap;
    private readonly MemoryPressure? _memory;
    private readonly int _mostInMemory;
    private readonly ReputationList? _reputation;
    private readonly RelayTelemetry _telemetry;
    private volatile bool _isDraining;
    private int _warned;

    /// <param name="origins">Which pages may use the server.</param>
    /// <param name="limiter">The limits of each address.</param>
    /// <param name="cap">How many connections may carry channels.</param>
    /// <param name="sockets">How many connections there may be at all.</param>
    /// <param name="memory">Whether memory is short; null when nobody watches.</param>
    /// <param name="mostInMemory">For how many connections that carry channels there is memory whatever they do.</param>
    /// <param name="reputation">Which addresses have a bad name; null when nobody knows.</param>
    /// <param name="telemetry">Hears of refusals.</param>
    public AdmissionControl(
        AllowedOrigins origins, AddressLimiter limiter, ConnectionCap cap, ConnectionCap sockets, MemoryPressure? memory, int mostInMemory,
        ReputationList? reputation, RelayTelemetry telemetry)
    {
        Sockets = sockets;
        _origins = origins;
        _limiter = limiter;
        _cap = cap;
        _memory = memory;
        _mostInMemory = mostInMemory;
        _reputation = reputation;
        _telemetry = telemetry;
    }

    /// <summary>Whether the server is stopping. From then on nothing is admitted.</summary>
    public bool IsDraining => _isDraining;

    /// <summary>
    /// All connections, those without a channel included; drivers count them. When no more may be, the least of them has to go for each
    /// that comes: descriptors must not run out, since the runtime itself needs some.
    /// </summary>
    public ConnectionCap Sockets { get; }

    /// <summary>Whether there is room for another connection.</summary>
    public bool HasRoom => !_cap.IsReached;

    /// <summary>Whether there is memory for another connection.</summary>
    public bool HasMemory => _memory is not { IsHigh: true } && _cap.Count < _mostInMemory;

    /// <summary>Admits nothing any more.</summary>
    public void Drain() => _isDraining = true;

    /// <summary>Decides about an upgrade.</summary>
    /// <param name="head">The request.</param>
    /// <param name="address">The client's address in canonical form; null when it is not known.</param>
    /// <param name="opens">Whether it wants a new channel; else it names one.</param>
    /// <param name="ticket">The place of the connection, if it is admitted; to be given back with <see cref="Release"/>.</param>
    /// <returns>No refusal, or the answer.</returns>
    public Refusal Admit(in RequestHead head, IPAddress? address, bool opens, out Ticket ticket)
    {
        ClientNetwork network = ClientNetwork.Of(address);
        ticket = default;
        Refusal refusal = Judge(head, address, network, opens);
        if (refusal.IsNone)
            ticket = new Ticket(network);
        else
            _telemetry.UpgradeRefused(refusal.Reason, address);
        return refusal;
    }

    /// <summary>The answer to a request that wants a channel, but wrongly.</summary>
    /// <param name="fault">What is wrong with it.</param>
    /// <param name="address">The client's address in canonical form; null when it is not known.</param>
    public Refusal RefuseRequest(RefusalReason fault, IPAddress? address)
    {
        _telemetry.UpgradeRefused(fault, address);
        return new Refusal(fault);
    }

    /// <summary>The answer to a request whose head could not be read. Nobody knows what it wanted, nor whose it is behind a proxy.</summary>
    /// <param name="fault">What is wrong with it.</param>
    /// <param name="peer">The other end of its connection.</param>
    public Refusal RefuseHead(RefusalReason fault, IPAddress? peer)
    {
        _telemetry.HeadRefused(fault, peer);
        return new Refusal(fault);
    }

    /// <summary>The answer to a request whose head is not complete, and cannot be waited for since memory is short.</summary>
    /// <param name="peer">The other end of its connection.</param>
    public Refusal RefuseHeadForMemory(IPAddress? peer)
    {
        _telemetry.HeadRefused(RefusalReason.Memory, peer);
        return Refuse(RefusalReason.Memory, _fullWait);
    }

    /// <summary>
    /// Whether somebody has to be asked before an admitted connection becomes a session, with <see cref="AskAsync"/>. Its answer is known
    /// for a while then.
    /// </summary>
    public bool MustAsk(IPAddress? address) => _reputation is not null && address is not null && _reputation.Find(address) == Standing.Unknown;

    /// <summary>Asks for the reputation of an address. In doubt, and after a while, everybody is welcome.</summary>
    /// <returns>No refusal, or the answer; then the ticket has to be given back.</returns>
    public async ValueTask<Refusal> AskAsync(IPAddress address)
    {
        if (await _reputation!.AskAsync(address) != Standing.Bad)
            return default;
        _telemetry.UpgradeRefused(RefusalReason.Reputation, address);
        return new Refusal(RefusalReason.Reputation);
    }

    /// <summary>The connection of a ticket is closed. A ticket that was given back is none any more.</summary>
    public void Release(ref Ticket ticket)
    {
        if (!ticket.IsValid)
            return;
        _limiter.Leave(ticket.Network);
        _cap.Leave();
        ticket = default;
    }

    private Refusal Judge(in RequestHead head, IPAddress? address, ClientNetwork network, bool opens)
    {
        if (_isDraining)
            return Refuse(RefusalReason.Draining, TimeSpan.Zero);
        if (!_origins.Allow(head))
            return new Refusal(RefusalReason.Origin);
        if (_reputation is not null && address is not null && _reputation.Find(address) == Standing.Bad)
            return new Refusal(RefusalReason.Reputation);
        if (!HasMemory)
            return Refuse(RefusalReason.Memory, _fullWait);
        if (!_cap.TryEnter())
            return Refuse(RefusalReason.ConnectionCap, _fullWait);
        LimitVerdict verdict = _limiter.Enter(network, opens);
        if (verdict.IsEnforced)
        {
            _cap.Leave();
            return Refuse(verdict.Broken, verdict.Wait > TimeSpan.Zero ? verdict.Wait : _fullWait);
        }
        if (verdict.Broken != RefusalReason.None)
            Tell(verdict.Broken, network, address);
        return default;
    }

    /// <summary>A limit is broken and nobody refused for it.</summary>
    private void Tell(RefusalReason broken, ClientNetwork network, IPAddress? address)
    {
        if (_limiter.TellsClientsApart(network))
            _telemetry.LimitNotEnforced(broken, address);
        else if (Interlocked.Exchange(ref _warned, 1) == 0)
            _telemetry.ClientsNotToldApart(address);
    }

    private static Refusal Refuse(RefusalReason reason, TimeSpan wait) => Refusal.For(reason, wait, Random.Shared.NextDouble());
}
