using System.Net;
using ChannelServer.Geo;
using ChannelServer.Relay;

namespace ChannelServer.Tests.Geo;

public sealed class GeoDatabaseTests
{
    private static readonly LanguagePriorityList _english = new(["en"], []);

    [Theory]
    [InlineData("192.0.2.1", "Mountain View", "California", "United States")]
    [InlineData("198.51.100.77", "Linz", "Upper Austria", "Austria")]
    [InlineData("2001:db8:1::5", "Mountain View", "California", "United States")]
    [InlineData("2001:db8:5::1", "Suva", "Central", "Fiji")]
    [InlineData("198.18.7.255", "Rio de Janeiro", "Rio de Janeiro", "Brazil")]
    [InlineData("2001:db8:2:ffff::", "Linz", "Upper Austria", "Austria")]
    [InlineData("192.0.2.225", null, "Scotland", "United Kingdom")]
    [InlineData("192.0.2.241", "Singapore", null, "Singapore")]
    [InlineData("192.0.2.249", null, null, "Bhutan")]
    [InlineData("2001:db8:3::1", null, null, "Bhutan")]
    [InlineData("192.0.2.252", null, null, null)]
    [InlineData("192.0.2.253", null, "Brussels Capital", "Belgium")]
    [InlineData("192.0.2.254", null, null, null)]
    [InlineData("8.8.8.8", null, null, null)]
    [InlineData("2001:db9::1", null, null, null)]
    [InlineData("::1", null, null, null)]
    [InlineData("127.0.0.1", null, null, null)]
    public void Finds_city_first_subdivision_and_country(string address, string? city, string? region, string? country) =>
        Assert.Equal(new PlaceNames(city, region, country), Look(GeoFiles.Open(GeoFiles.City), address));

    [Fact]
    public void A_country_database_gives_countries() =>
        Assert.Equal(new PlaceNames(null, null, "Bhutan"), Look(GeoFiles.Open(GeoFiles.CountryIPv4), "192.0.2.1"));

    [Fact]
    public void An_IPv4_tree_does_not_know_an_IPv6_address()
    {
        GeoDatabase database = GeoFiles.Open(GeoFiles.CountryIPv4);
        // The first four octets of 2001:d00:: are those of 32.1.13.0, which the tree holds.
        Assert.Equal("Bhutan", Look(database, "32.1.13.0").Country);
        Assert.Equal(default, Look(database, "2001:d00::1"));
    }

    [Fact]
    public void Names_that_are_empty_or_longer_than_any_are_left_out()
    {
        PlaceNames names = Look(GeoFiles.Open(GeoFiles.City), "192.0.2.255");
        Assert.StartsWith("Quote\"", names.City, StringComparison.Ordinal);
        Assert.Null(names.Region);
        Assert.Null(names.Country);
    }

    [Fact]
    public void Tells_what_it_is()
    {
        GeoDatabase database = GeoFiles.Open(GeoFiles.City);
        Assert.Equal("Test-City", database.Type);
        Assert.Equal(new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero), database.BuiltAt);
        Assert.Equal(["de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN"], database.Languages);
    }

    [Theory]
    [InlineData("81.2.69.160", "London", "England", "United Kingdom")]
    [InlineData("2.125.160.216", "Boxford", "England", "United Kingdom")]
    [InlineData("89.160.20.112", "Linköping", "Östergötland County", "Sweden")]
    [InlineData("216.160.83.56", "Milton", "Washington", "United States")]
    [InlineData("67.43.156.1", null, null, "Bhutan")]
    [InlineData("2001:218::1", null, null, "Japan")]
    public void Reads_MaxMinds_own(string address, string? city, string? region, string? country)
    {
        foreach (string name in (string[])["GeoLite2-City-Test.mmdb", "GeoIP2-City-Test.mmdb"])
            Assert.Equal(new PlaceNames(city, region, country), Look(GeoFiles.Open(GeoFiles.MaxMind(name)), address));
    }

    [Fact]
    public void Refuses_MaxMinds_database_with_a_wrong_node_count()
    {
        string path = GeoFiles.MaxMind("GeoIP2-City-Test-Invalid-Node-Count.mmdb");
        Assert.False(GeoDatabase.TryOpen(path, out _, out string? error));
        Assert.Contains(path, error, StringComparison.Ordinal);
        Assert.Contains("corrupt", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Reads_names_beside_MaxMinds_broken_number() =>
        // Only its latitudes are broken, and those are never decoded.
        Assert.Equal("London", Look(GeoFiles.Open(GeoFiles.MaxMind("GeoIP2-City-Test-Broken-Double-Format.mmdb")), "81.2.69.160").City);

    [Fact]
    public void Refuses_what_is_not_there()
    {
        Assert.False(GeoDatabase.TryOpen("/nowhere/at-all.mmdb", out _, out string? error));
        Assert.Equal("no file at /nowhere/at-all.mmdb", error);
        Assert.False(GeoDatabase.TryOpen(Path.GetTempPath(), out _, out error));
        Assert.Contains(Path.GetTempPath(), error, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_file_cut_anywhere()
    {
        byte[] whole = File.ReadAllBytes(GeoFiles.City);
        for (int cut = 0; cut < 100; cut++)
        {
            using TemporaryFile file = new(whole[..(whole.Length * cut / 100)]);
            Assert.False(GeoDatabase.TryOpen(file.Path, out _, out string? error));
            Assert.DoesNotContain('\n', error);
            Assert.Contains(file.Path, error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Damage_is_refused_or_costs_a_location_and_never_throws()
    {
        byte[] whole = File.ReadAllBytes(GeoFiles.City);
        IPAddress[] addresses = [.. ((string[])["192.0.2.1", "192.0.2.130", "192.0.2.255", "198.51.100.1", "2001:db8:1::1", "2001:db8:4::1"]).Select(IPAddress.Parse)];
        Random random = new(20250101);
        int opened = 0;
        int faults = 0;
        for (int round = 0; round < 200; round++)
        {
            byte[] damaged = [.. whole];
            for (int hit = random.Next(1, 20); hit > 0; hit--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            using TemporaryFile file = new(damaged);
            if (!GeoDatabase.TryOpen(file.Path, out GeoDatabase? database, out string? error))
            {
                Assert.NotEmpty(error);
                continue;
            }
            opened++;
            foreach (IPAddress address in addresses)
            {
                GeoRecord? record = database.Find(address, out string? fault);
                faults += fault is null ? 0 : 1;
                if (record is not null)
                    new GeoPlace(record, new LanguageLookup(database.Languages, "en")).In(_english);
            }
        }
        Assert.True(opened > 0, "No damage went unnoticed: the lookups were not tried.");
        TestContext.Current.SendDiagnosticMessage($"{opened} of 200 opened, {faults} lookups at fault");
    }

    [Fact]
    public void A_corrupt_record_costs_a_location_and_says_so()
    {
        byte[] damaged = File.ReadAllBytes(GeoFiles.City);
        // The record's first field becomes a map of more entries than the file has octets.
        int name = damaged.AsSpan().IndexOf("Suva"u8);
        damaged.AsSpan(name - 1, 5).Fill(0xFF);
        using TemporaryFile file = new(damaged);
        GeoDatabase database = GeoFiles.Open(file.Path);
        Assert.Null(database.Find(IPAddress.Parse("2001:db8:5::1"), out string? fault));
        Assert.NotEmpty(fault!);
        Assert.Equal("Mountain View", Look(database, "2001:db8:1::1").City);
    }

    private static PlaceNames Look(GeoDatabase database, string address)
    {
        GeoRecord? record = database.Find(IPAddress.Parse(address), out string? fault);
        Assert.Null(fault);
        return record is null ? default : new GeoPlace(record, new LanguageLookup(database.Languages, "en")).In(_english);
    }

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(byte[] bytes) => File.WriteAllBytes(Path, bytes);

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), System.IO.Path.GetRandomFileName());

        public void Dispose() => File.Delete(Path);
    }
}
