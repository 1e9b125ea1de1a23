using System.Diagnostics.Metrics;
using System.Net;
using ChannelServer.Admission;
using ChannelServer.Relay;

namespace ChannelServer.Telemetry;

/// <summary>
/// Turns what happens in the shards into metrics and log lines. Shared by all shards, whose threads call it. The names of Mozilla's
/// server stay, with the meanings that its README gives them.
/// </summary>
internal sealed class RelayTelemetry : IRelayObserver, IDisposable
{
    /// <summary>The name of the meter, for exporters that find it by name.</summary>
    public const string MeterName = "channelserver";

    /// <summary>What a request asked for: <c>new</c>, <c>existing</c>, or <c>error</c> when no channel could be told.</summary>
    public const string KindTag = "kind";

    /// <summary>Why: <see cref="EndReasons.Tag"/>.</summary>
    public const string ReasonTag = "reason";

    /// <summary>What came of a channel: <see cref="ChannelOutcomes.Tag"/>.</summary>
    public const string OutcomeTag = "outcome";

    private static readonly KeyValuePair<string, object?> New = new(KindTag, "new");
    private static readonly KeyValuePair<string, object?> Existing = new(KindTag, "existing");
    private static readonly KeyValuePair<string, object?> Error = new(KindTag, "error");

    private readonly ILogger _logger;
    private readonly LogRemote _remote;
    private readonly Counter<long> _created;
    private readonly Counter<long> _requested;
    private readonly Counter<long> _ended;
    private readonly Counter<long> _refused;
    private readonly Counter<long> _upgradesRefused;
    private readonly Counter<long> _notEnforced;
    private readonly Counter<long> _expired;
    private readonly Counter<long> _timedOut;
    private readonly Counter<long> _maxData;
    private readonly Counter<long> _maxMessages;
    private readonly Counter<long> _maxConnections;
    private readonly Counter<long> _resumed;
    private readonly Counter<long> _resumesRefused;
    private readonly Counter<long> _replayed;
    private readonly Counter<long> _outcomes;
    private readonly UpDownCounter<long> _live;
    private readonly UpDownCounter<long> _held;
    private readonly Histogram<long> _length;
    private int _heldSeats;

    public RelayTelemetry(ILogger<RelayTelemetry> logger, LogRemote remote)
    {
        _logger = logger;
        _remote = remote;
        _created = Meter.CreateCounter<long>("conn.create", "{session}", "Sessions that began.");
        _requested = Meter.CreateCounter<long>("conn.request", "{request}", "Requests for a channel: new, existing, or error.");
        _ended = Meter.CreateCounter<long>("conn.end", "{session}", "Sessions that ended, by reason.");
        _refused = Meter.CreateCounter<long>("conn.refused", "{session}", "Sessions that got a close frame instead of a seat, by reason.");
        _upgradesRefused = Meter.CreateCounter<long>("upgrade.refused", "{request}", "Channel requests answered with an HTTP status, by reason.");
        _notEnforced = Meter.CreateCounter<long>("limit.not_enforced", "{request}", "Upgrades admitted although a limit of their address was reached, by limit.");
        _expired = Meter.CreateCounter<long>("conn.expired", "{channel}", "Channels that reached conn_lifespan.");
        _timedOut = Meter.CreateCounter<long>("conn.timeout", "{session}", "Sessions ended by client_timeout.");
        _maxData = Meter.CreateCounter<long>("conn.max.data", "{channel}", "Channels that reached max_data.");
        _maxMessages = Meter.CreateCounter<long>("conn.max.msg", "{channel}", "Channels that reached max_exchanges.");
        _maxConnections = Meter.CreateCounter<long>("conn.max.conn", "{session}", "Joins refused because the channel was full.");
        _resumed = Meter.CreateCounter<long>("conn.resume", "{session}", "Sessions that took a seat back.");
        _resumesRefused = Meter.CreateCounter<long>("conn.resume.refused", "{session}", "Sessions that claimed a seat and did not get it.");
        _replayed = Meter.CreateCounter<long>("msg.replayed", "{envelope}", "Envelopes sent again to sessions that took a seat back.");
        _outcomes = Meter.CreateCounter<long>("channel.end", "{channel}", "Channels that ended, by outcome.");
        _held = Meter.CreateUpDownCounter<long>("seat.held", "{seat}", "Seats held now for clients whose connection was lost.");
        _live = Meter.CreateUpDownCounter<long>("conn.live", "{session}", "Sessions now.");
        _length = Meter.CreateHistogram<long>("conn.length", "ms", "How long sessions lasted.");
    }

    /// <summary>The server's meter: other parts create their instruments on it too. All are of <see cref="long"/>.</summary>
    public Meter Meter { get; } = new(MeterName);

    /// <summary>Seats that are held now for clients who have lost their connection.</summary>
    public int HeldSeats => Volatile.Read(ref _heldSeats);

    public void SessionBegan(SessionStart start)
    {
        _requested.Add(1, start == SessionStart.Opened ? New : Existing);
        _created.Add(1);
        _live.Add(1);
        if (start == SessionStart.Resumed)
            _resumed.Add(1);
        _logger.SessionBegan(start);
    }

    public void SessionRefused(EndReason reason, IPAddress? address)
    {
        _requested.Add(1, NamedAChannel(reason) ? Existing : Error);
        _refused.Add(1, new KeyValuePair<string, object?>(ReasonTag, reason.Tag()));
        if (reason == EndReason.ChannelFull)
            _maxConnections.Add(1);
        if (reason == EndReason.ResumeRefused)
            _resumesRefused.Add(1);
        _logger.SessionRefused(reason.Tag(), new LoggedAddress(address, _remote));
    }

    public void SessionEnded(in SessionEnd session)
    {
        _live.Add(-1);
        _ended.Add(1, new KeyValuePair<string, object?>(ReasonTag, session.Reason.Tag()));
        _length.Record((long)session.Length.TotalMilliseconds);
        if (session.Reason == EndReason.ClientTimeout)
            _timedOut.Add(1);
        _logger.SessionEnded(
            session.Reason.Tag(), session.Code, Math.Round(session.Length.TotalSeconds, 3), session.Messages,
            new LoggedAddress(session.Address, _remote));
    }

    public void SeatHeld()
    {
        Interlocked.Increment(ref _heldSeats);
        _held.Add(1);
    }

    public void SeatReleased(bool resumed)
    {
        Interlocked.Decrement(ref _heldSeats);
        _held.Add(-1);
    }

    public void Replayed(int envelopes) => _replayed.Add(envelopes);

    public void ChannelEnded(EndReason reason, ChannelOutcome outcome)
    {
        _outcomes.Add(1, new KeyValuePair<string, object?>(OutcomeTag, outcome.Tag()));
        switch (reason)
        {
            case EndReason.ChannelExpired:
                _expired.Add(1);
                break;
            case EndReason.DataLimit:
                _maxData.Add(1);
                break;
            case EndReason.ExchangeLimit:
                _maxMessages.Add(1);
                break;
        }
    }

    public void Failed(Exception exception) => _logger.ChannelFailed(exception);

    /// <summary>A request for a channel was answered with an HTTP status instead of an upgrade.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="address">The client's address, as far as it is known.</param>
    public void UpgradeRefused(RefusalReason reason, IPAddress? address)
    {
        CountRefusal(reason);
        _logger.UpgradeRefused(reason.Tag(), reason.Status(), reason.Advice(), new LoggedAddress(address, _remote));
    }

    /// <summary>A request was answered with an HTTP status before its head could be read: it counts as one for a channel.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="peer">The other end of the connection: the client, or a proxy.</param>
    public void HeadRefused(RefusalReason reason, IPAddress? peer)
    {
        CountRefusal(reason);
        _logger.HeadRefused(reason.Tag(), reason.Status(), reason.Advice(), new LoggedAddress(peer, _remote));
    }

    /// <summary>An address is over one of its limits, and limits are only told.</summary>
    public void LimitNotEnforced(RefusalReason limit, IPAddress? address)
    {
        _notEnforced.Add(1, new KeyValuePair<string, object?>(ReasonTag, limit.Tag()));
        _logger.LimitNotEnforced(limit.Tag(), limit.Advice(), new LoggedAddress(address, _remote));
    }

    /// <summary>More comes from one private or unknown address than one client does: limits per address have no effect.</summary>
    public void ClientsNotToldApart(IPAddress? address)
    {
        if (address is null)
            _logger.ClientsUnknown();
        else
            _logger.ClientsBehindProxy(new LoggedAddress(address, LogRemote.Full));
    }

    public void Dispose() => Meter.Dispose();

    private void CountRefusal(RefusalReason reason)
    {
        _requested.Add(1, Error);
        _upgradesRefused.Add(1, new KeyValuePair<string, object?>(ReasonTag, reason.Tag()));
    }

    private static bool NamedAChannel(EndReason reason) =>
        reason is EndReason.ChannelFull or EndReason.AddressUnknown or EndReason.ResumeRefused;
}
