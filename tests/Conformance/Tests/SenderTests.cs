using System.Net;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>What receivers are told about a sender: address, user agent, place.</summary>
public sealed class SenderTests(Servers servers)
{
    // 127.0.0.1 plays the load balancer.
    private const string Trusting = "--trusted_proxy_list=127.0.0.1";
    private const string Client = "203.0.113.9";

    public static TheoryData<string, string?> ForwardedFor => new()
    {
        { "203.0.113.9", Client },
        { "192.0.2.1, 203.0.113.9", Client }, // What stands left of the client is hearsay.
        { "192.0.2.1\r\nX-Forwarded-For: 203.0.113.9", Client },
        { "203.0.113.9\r\nX-Forwarded-For: 10.1.2.3", Client },
        { "203.0.113.9, 10.1.2.3, 172.16.0.1, 192.168.1.1, 127.0.0.5, ::1", Client },
        { "203.0.113.9, ::ffff:10.1.2.3", Client },
        { "203.0.113.9:4711", Client },
        { "::ffff:203.0.113.9", Client },
        { "[::ffff:203.0.113.9]:4711", Client },
        { "  203.0.113.9\t,\t10.1.2.3 ", Client },
        { "2001:db8::9", "2001:db8::9" },
        { "2001:DB8:0:0::9", "2001:db8::9" },
        { "[2001:db8::9]", "2001:db8::9" },
        { "[2001:db8::9]:4711", "2001:db8::9" },
        { "10.1.2.3, 192.168.1.1", null },
        { "", null },
        { "unknown", null },
        { "203.0.113.9, nonsense", null },
        { "203.0.113.9, nonsense, 10.1.2.3", null },
        { "203.0.113.999", null },
        { "203.0.113.9:99999999", null },
        { "2001:db8::9::1", null },
        { "203.0.113.9" + string.Concat(Enumerable.Repeat(", 10.0.0.1", 31)), Client },
        { "203.0.113.9" + string.Concat(Enumerable.Repeat(", 10.0.0.1", 32)), null },
    };

    [Theory]
    [MemberData(nameof(ForwardedFor))]
    public async Task Behind_a_trusted_proxy_the_remote_is_the_first_address_that_is_no_proxy(string forwardedFor, string? remote) =>
        Assert.Equal(
            remote is null ? "{}" : $"{{\"remote\":\"{remote}\"}}",
            await SenderAsync(Trusting, null, $"X-Forwarded-For: {forwardedFor}"));

    [Fact]
    public async Task Without_a_forwarded_address_nothing_is_told() => Assert.Equal("{}", await SenderAsync(Trusting, null));

    [Fact]
    public async Task A_peer_that_is_not_trusted_cannot_forge_its_address() => Assert.Equal(
        "{\"remote\":\"127.0.0.2\"}",
        await SenderAsync(Trusting, IPAddress.Parse("127.0.0.2"), "X-Forwarded-For: 203.0.113.9", "X-Client-Geo-Location: CA,Mountain View"));

    [Fact]
    public async Task Loopback_is_not_trusted_by_default() => Assert.Equal(
        "{\"remote\":\"127.0.0.1\"}", await SenderAsync("--max_exchanges=0", null, "X-Forwarded-For: 203.0.113.9"));

    [Theory]
    [InlineData("--trusted_proxy_list=127.0.0.0/8", "203.0.113.9, 10.1.2.3", Client)]
    [InlineData("--trusted_proxy_list=127.0.0.1,198.51.100.0/24", "203.0.113.9, 198.51.100.77", Client)]
    [InlineData("--trusted_proxy_list=127.0.0.1,2001:db8:5::/48", "203.0.113.9, 2001:db8:5::1", Client)]
    [InlineData("--trusted_proxy_list=none,127.0.0.1", "203.0.113.9, 10.1.2.3", "10.1.2.3")]
    public async Task Proxies_are_trusted_by_list(string settings, string forwardedFor, string remote) => Assert.Equal(
        $"{{\"remote\":\"{remote}\"}}", await SenderAsync(settings, null, $"X-Forwarded-For: {forwardedFor}"));

    [Fact]
    public async Task An_envelope_without_any_fact_is_exact()
    {
        ServerUnderTest server = await servers.WithAsync(Trusting);
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await second.SendAsync(Golden.Octets("client-message"));
        Golden.AssertFrame("envelope-empty-sender", await first.ReadFrameAsync());
        await second.SendTextAsync("\" \\ / \b\f\n\r\t\u0001\u001f <&>'\u2028\ud83e\udd8a\u007f");
        Golden.AssertFrame("envelope-escapes", await first.ReadFrameAsync());
    }

    [Theory]
    [InlineData("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", true)]
    [InlineData("quotes \\\" and \\\\ <&>", true)]
    [InlineData("tab\tinside", false)]
    [InlineData("caf\u00e9", false)]
    public async Task The_user_agent_is_told_when_it_is_visible_ASCII(string agent, bool told)
    {
        string sender = await SenderAsync(Trusting, null, $"User-Agent: {agent.Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal)}");
        Assert.Equal(told ? $"{{\"ua\":\"{agent}\"}}" : "{}", sender);
    }

    [Fact]
    public async Task A_user_agent_of_512_octets_is_told_and_a_longer_one_is_not()
    {
        string agent = new('x', 512);
        Assert.Equal($"{{\"ua\":\"{agent}\"}}", await SenderAsync(Trusting, null, $"User-Agent: {agent}"));
        Assert.Equal("{}", await SenderAsync(Trusting, null, $"User-Agent: {agent}x"));
    }

    [Fact]
    public async Task Where_the_database_knows_no_city_the_load_balancer_may_tell() => Assert.Equal(
        "{\"city\":\"Mountain View\",\"region\":\"CA\",\"remote\":\"203.0.113.9\"}",
        await SenderAsync(Trusting, null, "X-Forwarded-For: 203.0.113.9", "X-Client-Geo-Location: CA,Mountain View"));

    /// <summary>The envelope's sender as the opener of a channel sees it.</summary>
    private async Task<string> SenderAsync(string settings, IPAddress? from, params string[] headers)
    {
        ServerUnderTest server = await servers.WithAsync(settings);
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId, from, headers);
        await second.SendTextAsync("hello");
        return await first.ReadSenderAsync();
    }

}

/// <summary>Places, from the test database that tests/data/geo describes.</summary>
public sealed class PlaceTests(Servers servers)
{
    private static readonly string _database = Path.Combine(Repository.Root, "tests", "data", "geo", "Test-City.mmdb");

    [Theory]
    [InlineData("203.0.113.9", null, "Mountain View", "United States", "California")]
    [InlineData("2001:db8:1::9", null, "Mountain View", "United States", "California")]
    [InlineData("203.0.113.9", "de", "Mountain View", "Vereinigte Staaten", "Kalifornien")]
    [InlineData("203.0.113.9", "de-CH", "Mountain View", "Vereinigte Staaten", "Kalifornien")]
    [InlineData("203.0.113.9", "de;q=0.3, fr;q=0.25, ja;q=0.9", "\u30de\u30a6\u30f3\u30c6\u30f3\u30d3\u30e5\u30fc", "\u30a2\u30e1\u30ea\u30ab", "\u30ab\u30ea\u30d5\u30a9\u30eb\u30cb\u30a2\u5dde")]
    [InlineData("198.51.100.7", "es, de;q=0.5", "Linz", "Austria", "Ober\u00f6sterreich")] // each name on its own
    [InlineData("198.51.100.7", "tlh", "Linz", "Austria", "Upper Austria")]
    [InlineData("192.0.2.224", null, null, "United Kingdom", "Scotland")]
    [InlineData("192.0.2.240", null, "Singapore", "Singapore", null)]
    [InlineData("192.0.2.248", "fr", null, "Bhoutan", null)]
    [InlineData("192.0.2.252", null, null, null, null)]
    [InlineData("8.8.8.8", null, null, null, null)]
    public async Task A_place_is_told_in_the_language_that_the_sender_prefers(
        string address, string? languages, string? city, string? country, string? region)
    {
        if (!File.Exists(_database))
            Assert.Skip($"There is no test database at {_database}.");
        ServerUnderTest server = await servers.WithAsync($"--trusted_proxy_list=127.0.0.1 --mmdb_loc={_database}");
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        string[] headers = [$"X-Forwarded-For: {address}", .. languages is null ? [] : new[] { $"Accept-Language: {languages}" }];
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId, null, headers);
        await second.SendTextAsync("hello");

        (string Name, string? Value)[] facts = [("city", city), ("country", country), ("region", region), ("remote", address)];
        string expected = string.Join(',', facts.Where(fact => fact.Value is not null).Select(fact => $"\"{fact.Name}\":\"{fact.Value}\""));
        Assert.Equal($"{{{expected}}}", await first.ReadSenderAsync());
    }

    [Fact]
    public async Task An_envelope_with_every_fact_is_exact()
    {
        if (!File.Exists(_database))
            Assert.Skip($"There is no test database at {_database}.");
        ServerUnderTest server = await servers.WithAsync($"--trusted_proxy_list=127.0.0.1 --mmdb_loc={_database}");
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(
            server, first.ChannelId, null, "User-Agent: example/1.0", "X-Forwarded-For: 203.0.113.9");
        await second.SendAsync(Golden.Octets("client-message"));
        Golden.AssertFrame("envelope-full", await first.ReadFrameAsync());
    }
}
