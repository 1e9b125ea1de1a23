using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Geo;

/// <summary>Where an address is, in every language that the database knows.</summary>
internal sealed class GeoPlace
{
    /// <summary>
    /// Octets of a name, in UTF-8. The longest in use are under 100; a corrupt record can claim megabytes, which every envelope
    /// would carry.
    /// </summary>
    public const int MaxNameOctets = 256;

    private readonly GeoRecord _record;
    private readonly LanguageLookup _lookup;

    public GeoPlace(GeoRecord record, LanguageLookup lookup)
    {
        _record = record;
        _lookup = lookup;
    }

    /// <summary>The place as a reader with these preferences should see it; each name finds its language on its own.</summary>
    public PlaceNames In(LanguagePriorityList languages) => new(
        Name(_record.City, languages),
        Name(_record.Subdivisions is [NamedPlace first, ..] ? first : null, languages),
        Name(_record.Country, languages));

    private string? Name(NamedPlace? place, LanguagePriorityList languages)
    {
        if (place?.Names is not { Count: > 0 } names)
            return null;
        string? name = _lookup.Choose(names, languages);
        bool isUsable = !string.IsNullOrEmpty(name) && name.Length <= MaxNameOctets && Encoding.UTF8.GetByteCount(name) <= MaxNameOctets;
        return isUsable ? name : null;
    }
}
