using MaxMind.Db;

namespace ChannelServer.Geo;

/// <summary>
/// What of a City or Country record is of use here. The reader skips the rest undecoded; its source generator needs the setters.
/// </summary>
internal sealed class GeoRecord
{
    [MapKey("city")]
    public NamedPlace? City { get; init; }

    [MapKey("country")]
    public NamedPlace? Country { get; init; }

    /// <summary>From the largest to the smallest: England, then Oxfordshire.</summary>
    [MapKey("subdivisions")]
    public List<NamedPlace>? Subdivisions { get; init; }
}

/// <summary>A place with its names by language.</summary>
internal sealed class NamedPlace
{
    [MapKey("names")]
    public Dictionary<string, string>? Names { get; init; }
}
