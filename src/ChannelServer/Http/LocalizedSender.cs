using System.Net;
using ChannelServer.Geo;
using ChannelServer.Relay;

namespace ChannelServer.Http;

/// <summary>
/// A sender whose place each receiver reads in their own language (<c>localize_for=receiver</c>). What was encoded once is kept,
/// so that receivers who read alike share one array.
/// </summary>
internal sealed class LocalizedSender : SenderMetadata
{
    /// <summary>
    /// Texts that are kept. A place has about as many as the database has languages (MaxMind's: eight); more come about only where
    /// its names lack different ones. Then all are forgotten and encoded anew, so that no crowd of receivers can make this grow.
    /// </summary>
    public const int MaxReadings = 32;

    // Set once.
    private readonly GeoPlace _place;
    private readonly PlaceNames? _headerPlace;
    private readonly IPAddress? _remote;
    private readonly byte[] _userAgent;

    // A channel's shard alone reads, as a rule; the lock is for the embedder who does not know.
    private readonly Lock _gate = new();
    private readonly Dictionary<PlaceNames, byte[]> _readings = [];
    private LanguagePriorityList? _lastReceiver;
    private byte[] _lastReading;

    public LocalizedSender(
        GeoPlace place, PlaceNames? headerPlace, LanguagePriorityList own, IPAddress? remote, ReadOnlySpan<byte> userAgent)
        : base(SenderJson.Encode(NamesFor(place, headerPlace, own), remote, userAgent))
    {
        _place = place;
        _headerPlace = headerPlace;
        _remote = remote;
        _userAgent = userAgent.ToArray();
        _lastReading = Utf8Json;
        _readings.Add(NamesFor(place, headerPlace, own), Utf8Json);
    }

    /// <summary>The names that a reader of these languages sees: the database's, and where it has no city the load balancer's.</summary>
    public static PlaceNames NamesFor(GeoPlace? place, PlaceNames? headerPlace, LanguagePriorityList languages)
    {
        PlaceNames names = place?.In(languages) ?? default;
        return names.City is null && headerPlace is { } header
            ? names with { City = header.City, Region = header.Region }
            : names;
    }

    /// <inheritdoc/>
    public override byte[] ReadBy(LanguagePriorityList receiver)
    {
        lock (_gate)
        {
            // Two seats, one receiver: message after message it is the same one.
            if (ReferenceEquals(receiver, _lastReceiver))
                return _lastReading;
            PlaceNames names = NamesFor(_place, _headerPlace, receiver);
            if (!_readings.TryGetValue(names, out byte[]? reading))
            {
                if (_readings.Count == MaxReadings)
                    _readings.Clear();
                reading = SenderJson.Encode(names, _remote, _userAgent);
                _readings.Add(names, reading);
            }
            _lastReceiver = receiver;
            _lastReading = reading;
            return reading;
        }
    }
}
