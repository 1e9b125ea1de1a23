using ChannelServer.Geo;

namespace ChannelServer.Tests.Geo;

/// <summary>The databases that tests look addresses up in.</summary>
internal static class GeoFiles
{
    private static readonly string _root = FindRoot();

    /// <summary>The project's own: tests/data/geo/source.json says what is in it.</summary>
    public static string City => Path.Combine(_root, "tests", "data", "geo", "Test-City.mmdb");

    public static string CountryIPv4 => Path.Combine(_root, "tests", "data", "geo", "Test-Country-IPv4.mmdb");

    public static GeoDatabase Open(string path)
    {
        Assert.True(GeoDatabase.TryOpen(path, out GeoDatabase? database, out string? error), error);
        return database;
    }

    /// <summary>A database in use, with English as the language of last resort.</summary>
    public static GeoSource Source(GeoDatabase database)
    {
        GeoSource source = new("en");
        source.Use(database);
        return source;
    }

    /// <summary>One of MaxMind's test databases; the test is skipped where they are not at hand.</summary>
    public static string MaxMind(string name)
    {
        string path = Path.GetFullPath(Path.Combine(_root, "..", "shared", "data", name));
        if (!File.Exists(path))
            Assert.Skip($"MaxMind's test database is not at {path}");
        return path;
    }

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "ChannelServer.slnx")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new DirectoryNotFoundException("No ChannelServer.slnx above the tests.");
    }
}
