namespace ChannelServer.Geo;

/// <summary>Where somebody is, in words of one reader's language. Equal words are one choice.</summary>
/// <param name="City">The city's name, or null.</param>
/// <param name="Region">The name of its first subdivision: a state, a province, a country of the United Kingdom.</param>
/// <param name="Country">The country's name, or null.</param>
internal readonly record struct PlaceNames(string? City, string? Region, string? Country);
