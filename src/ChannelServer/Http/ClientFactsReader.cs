using System.Net;
using ChannelServer.Geo;
using ChannelServer.Relay;
using ChannelServer.Telemetry;
using ChannelServer.WebSockets;

namespace ChannelServer.Http;

/// <summary>
/// Tells from an upgrade request who its client is: address, place, user agent, languages. Whatever the request holds, the answer
/// is a value; what cannot be told is left out. Safe for any thread.
/// </summary>
internal sealed class ClientFactsReader
{
    // Set once.
    private readonly TrustedProxies _proxies;
    private readonly GeoSource _geo;
    private readonly bool _localizeForReceiver;
    private readonly ILogger _logger;
    private readonly LogThrottle _throttle;
    private readonly LogRemote _logRemote;

    /// <param name="proxies">Whose word about a client is believed.</param>
    /// <param name="geo">Where addresses are.</param>
    /// <param name="localizeForReceiver">Whether receivers, not senders, choose the language (<c>localize_for</c>).</param>
    /// <param name="logger">Told why an address or a place is unknown.</param>
    /// <param name="time">For the pace of those log lines; the system's by default.</param>
    /// <param name="logRemote">How much of an address those log lines tell.</param>
    public ClientFactsReader(
        TrustedProxies proxies, GeoSource geo, bool localizeForReceiver, ILogger logger, TimeProvider? time = null, LogRemote logRemote = LogRemote.Net)
    {
        _logRemote = logRemote;
        _proxies = proxies;
        _geo = geo;
        _localizeForReceiver = localizeForReceiver;
        _logger = logger;
        _throttle = new LogThrottle(time ?? TimeProvider.System);
    }

    /// <summary>Reads one request.</summary>
    /// <param name="head">The request.</param>
    /// <param name="peer">The other end of its connection; null when the transport does not know.</param>
    public Visitor Read(in RequestHead head, IPAddress? peer) => Read(head, ReadAddress(head, peer));

    /// <summary>Tells where a request comes from that is refused for what it is. A proxy that names no client is not to blame then, and not told of.</summary>
    /// <param name="head">The request.</param>
    /// <param name="peer">The other end of its connection; null when the transport does not know.</param>
    public IPAddress? FindAddress(in RequestHead head, IPAddress? peer) => ClientAddress.Of(head, peer, _proxies).Address;

    /// <summary>Tells where an upgrade comes from: all that is needed to turn it away.</summary>
    /// <param name="head">The request.</param>
    /// <param name="peer">The other end of its connection; null when the transport does not know.</param>
    public ClientAddress ReadAddress(in RequestHead head, IPAddress? peer)
    {
        ClientAddress client = ClientAddress.Of(head, peer, _proxies);
        if (client.Fault != ForwardedFault.None)
            Report(client);
        return client;
    }

    /// <summary>Reads the rest of a request whose origin is known.</summary>
    /// <param name="head">The request.</param>
    /// <param name="client">What <see cref="ReadAddress"/> told of it.</param>
    public Visitor Read(in RequestHead head, in ClientAddress client)
    {
        // Once: it may be replaced while this request is read.
        GeoInUse? geo = _geo.Current;
        GeoPlace? place = Locate(geo, client.Address);
        // The proxy knows its client even where its X-Forwarded-For did not tell; Mozilla's server asks it then too.
        PlaceNames? headerPlace = client.PeerIsTrusted ? ClientGeoLocation.Of(head) : null;
        ReadOnlySpan<byte> userAgent = UserAgent.Of(head);
        // Without a database there is nothing to translate for this client; as a receiver it may meet one who comes when there is.
        LanguagePriorityList languages = geo is null && !_localizeForReceiver ? LanguagePriorityList.None : AcceptLanguage.Of(head);

        SenderMetadata sender = place is not null && _localizeForReceiver
            ? new LocalizedSender(place, headerPlace, languages, client.Address, userAgent)
            : new SenderMetadata(SenderJson.Encode(
                LocalizedSender.NamesFor(place, headerPlace, languages), client.Address, userAgent));
        return new Visitor(client.Address, sender, languages) { Version = VersionOf(head), Claim = ResumeClaim.Of(head.Query) };
    }

    /// <summary>Which version a client asks for; version 1 unless it offers the other.</summary>
    public static ProtocolVersion VersionOf(in RequestHead head) =>
        UpgradeRequest.Offers(head, ProtocolVersions.VersionTwo) ? ProtocolVersion.Two : ProtocolVersion.One;

    private GeoPlace? Locate(GeoInUse? geo, IPAddress? address)
    {
        if (geo is null || address is null)
            return null;
        GeoRecord? record = geo.Database.Find(address, out string? fault);
        if (fault is not null && _throttle.TryPass())
            _logger.LocationRecordCorrupt(geo.Database.Type, fault);
        return record is null ? null : new GeoPlace(record, geo.Languages);
    }

    private void Report(in ClientAddress client)
    {
        if (!_logger.IsEnabled(LogLevel.Information) || !_throttle.TryPass())
            return;
        string reason = client.Fault switch
        {
            ForwardedFault.Missing => "missing",
            ForwardedFault.Unparsable => "unparsable",
            ForwardedFault.OnlyProxies => "only_proxies",
            _ => "too_many_hops",
        };
        // What is no address in form, such as one with a port that is none, may be one in fact.
        string text = _logRemote == LogRemote.Full ? client.HopText ?? "" : "";
        _logger.ForwardedAddressUnusable(reason, client.Hop, text);
    }
}
