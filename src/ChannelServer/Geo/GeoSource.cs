namespace ChannelServer.Geo;

/// <summary>A database, and what goes with it and no other.</summary>
/// <param name="Database">Where addresses are.</param>
/// <param name="Languages">Chooses among its names.</param>
internal sealed record GeoInUse(GeoDatabase Database, LanguageLookup Languages);

/// <summary>
/// Where locations come from: the database in use, if there is one, which may be replaced at any time. Safe for any thread; who reads it takes
/// no lock, and takes it once for all that has to fit together.
/// </summary>
/// <param name="defaultLanguage">The language of last resort (<c>default_lang</c>).</param>
internal sealed class GeoSource(string defaultLanguage)
{
    private volatile GeoInUse? _current;

    /// <summary>The database in use; null for no location.</summary>
    public GeoInUse? Current => _current;

    /// <summary>Puts a database in place of the one in use, which lookups under way may still hold for a moment.</summary>
    public void Use(GeoDatabase database) => Use(new GeoInUse(database, new LanguageLookup(database.Languages, defaultLanguage)));

    /// <summary>Puts a database in place with what chooses among its names.</summary>
    public void Use(GeoInUse inUse) => _current = inUse;
}
