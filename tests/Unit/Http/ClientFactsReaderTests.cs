using System.Net;
using System.Text;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.Tests.Geo;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelServer.Tests.Http;

public sealed class ClientFactsReaderTests
{
    private const string Californian = "192.0.2.1";
    private const string Scottish = "192.0.2.225";

    private static readonly GeoDatabase _geo = GeoFiles.Open(GeoFiles.City);

    [Theory]
    [InlineData("192.0.2.1", "User-Agent: Mozilla/5.0 (X11)|Accept-Language: en",
        """{"city":"Mountain View","country":"United States","region":"California","remote":"192.0.2.1","ua":"Mozilla/5.0 (X11)"}""")]
    [InlineData("::ffff:192.0.2.1", "", """{"city":"Mountain View","country":"United States","region":"California","remote":"192.0.2.1"}""")]
    [InlineData("192.0.2.1", "Accept-Language: ja", """{"city":"マウンテンビュー","country":"アメリカ","region":"カリフォルニア州","remote":"192.0.2.1"}""")]
    [InlineData("192.0.2.1", "Accept-Language: es", """{"city":"Mountain View","country":"Estados Unidos","region":"California","remote":"192.0.2.1"}""")]
    [InlineData("2001:db8:2::9", "Accept-Language: ja, fr;q=0.5", """{"city":"リンツ","country":"オーストリア","region":"Haute-Autriche","remote":"2001:db8:2::9"}""")]
    [InlineData("192.0.2.253", "Accept-Language: fr", """{"city":"Bruxelles","country":"Belgium","region":"Bruxelles-Capitale","remote":"192.0.2.253"}""")]
    [InlineData("192.0.2.254", "", """{"remote":"192.0.2.254"}""")]
    [InlineData("192.0.2.254", "Accept-Language: *", """{"city":"Минск","country":"Беларусь","remote":"192.0.2.254"}""")]
    [InlineData("192.0.2.255", "", """{"city":"Quote\" Back\\slash\u0001\u001b[31m</script>","remote":"192.0.2.255"}""")]
    [InlineData("203.0.113.1", "User-Agent: a\"b\\c", """{"city":"Mountain View","country":"United States","region":"California","remote":"203.0.113.1","ua":"a\"b\\c"}""")]
    [InlineData("127.0.0.1", "User-Agent: x|X-Forwarded-For: 192.0.2.1|X-Client-Geo-Location: R,C", """{"remote":"127.0.0.1","ua":"x"}""")]
    [InlineData("10.0.0.1", "X-Forwarded-For: 192.0.2.241", """{"city":"Singapore","country":"Singapore","remote":"192.0.2.241"}""")]
    [InlineData("10.0.0.1", "X-Forwarded-For: 192.0.2.1, junk", "{}")]
    [InlineData("10.0.0.1", "", "{}")]
    [InlineData(null, "User-Agent: x", """{"ua":"x"}""")]
    public void Describes_the_sender(string? peer, string lines, string expected)
    {
        Visitor facts = Read(Reader(), peer, lines);
        Assert.Equal(expected, Encoding.UTF8.GetString(facts.Sender.Utf8Json));
        Assert.Same(facts.Sender.Utf8Json, facts.Sender.ReadBy(new LanguagePriorityList(["de"], [])));
    }

    [Theory]
    [InlineData("192.0.2.249", "R,C", """{"city":"C","country":"Bhutan","region":"R","remote":"192.0.2.249"}""")]
    [InlineData(Scottish, "Sutherland, Durness ", """{"city":"Durness","country":"United Kingdom","region":"Sutherland","remote":"192.0.2.225"}""")]
    [InlineData(Scottish, ",Durness", """{"city":"Durness","country":"United Kingdom","remote":"192.0.2.225"}""")]
    [InlineData(Scottish, "Sutherland", """{"country":"United Kingdom","region":"Sutherland","remote":"192.0.2.225"}""")]
    [InlineData(Scottish, "Sutherland,,x", """{"country":"United Kingdom","region":"Sutherland","remote":"192.0.2.225"}""")]
    [InlineData(Scottish, " , ", """{"country":"United Kingdom","region":"Scotland","remote":"192.0.2.225"}""")]
    [InlineData(Californian, "R,C", """{"city":"Mountain View","country":"United States","region":"California","remote":"192.0.2.1"}""")]
    [InlineData("8.8.8.8", "USCA,Zürich", """{"city":"Zürich","region":"USCA","remote":"8.8.8.8"}""")]
    [InlineData("8.8.8.8", "a\"b,c\\d", """{"city":"c\\d","region":"a\"b","remote":"8.8.8.8"}""")]
    [InlineData("8.8.8.8", "R,a\tb", """{"region":"R","remote":"8.8.8.8"}""")]
    [InlineData("8.8.8.8", "R,a\u202eb", """{"region":"R","remote":"8.8.8.8"}""")]
    [InlineData("8.8.8.8", "R,a\u0085b", """{"region":"R","remote":"8.8.8.8"}""")]
    [InlineData("8.8.8.8", "R,C|X-Client-Geo-Location: S,D", """{"remote":"8.8.8.8"}""")]
    [InlineData("junk", "R,C", """{"city":"C","region":"R"}""")]
    public void A_load_balancer_can_name_the_city(string client, string location, string expected)
    {
        string lines = $"X-Forwarded-For: {client}|X-Client-Geo-Location: {location}";
        byte[] head = Encoding.UTF8.GetBytes(Encoding.Latin1.GetString(Heads.Bytes("@")).Replace("@", lines.Replace("|", "\r\n", StringComparison.Ordinal), StringComparison.Ordinal));
        Visitor facts = Reader().Read(Heads.Parse(head), IPAddress.Parse("10.0.0.1"));
        Assert.Equal(expected, Encoding.UTF8.GetString(facts.Sender.Utf8Json));
    }

    [Theory]
    [InlineData("\u00ff")]
    [InlineData("a\u00c3")]
    public void A_location_that_is_not_UTF8_is_left_out(string part)
    {
        Assert.Null(ClientGeoLocation.Parse(Encoding.Latin1.GetBytes(part + "," + part)));
        Assert.Equal(new PlaceNames("C", null, null), ClientGeoLocation.Parse(Encoding.Latin1.GetBytes(part + ",C")));
    }

    [Fact]
    public void A_location_is_bounded()
    {
        string longest = new('x', ClientGeoLocation.MaxPartOctets);
        Assert.Equal(new PlaceNames(longest, longest, null), ClientGeoLocation.Parse(Encoding.ASCII.GetBytes($"{longest},{longest}")));
        Assert.Null(ClientGeoLocation.Parse(Encoding.ASCII.GetBytes($"{longest}x,{longest}x")));
    }

    [Theory]
    [InlineData("x", true)]
    [InlineData(" ~ ", true)]
    [InlineData("", false)]
    [InlineData("a\u00e9", false)]
    [InlineData("a\tb", false)]
    public void A_user_agent_is_visible_ASCII(string text, bool isTold)
    {
        ReadOnlySpan<byte> userAgent = UserAgent.Of(Heads.With("User-Agent: " + text));
        Assert.Equal(isTold ? text.Trim() : "", Encoding.Latin1.GetString(userAgent));
    }

    [Fact]
    public void A_user_agent_is_short_and_single()
    {
        Assert.Equal(512, UserAgent.Of(Heads.With("User-Agent: " + new string('x', 512))).Length);
        Assert.Equal(0, UserAgent.Of(Heads.With("User-Agent: " + new string('x', 513))).Length);
        Assert.Equal(0, UserAgent.Of(Heads.With("User-Agent: a", "User-Agent: b")).Length);
        Assert.Equal(0, UserAgent.Of(Heads.With()).Length);
    }

    [Fact]
    public void Without_a_database_there_is_no_location()
    {
        ClientFactsReader reader = new(TrustedProxies.Default, new GeoSource("en"), localizeForReceiver: true, NullLogger.Instance);
        Visitor facts = Read(reader, Californian, "User-Agent: x|Accept-Language: de");
        Assert.Equal("""{"remote":"192.0.2.1","ua":"x"}""", Encoding.UTF8.GetString(facts.Sender.Utf8Json));
        Assert.Equal(IPAddress.Parse(Californian), facts.Address);
    }

    [Fact]
    public void Receivers_read_in_their_own_language()
    {
        Visitor facts = Read(Reader(localizeForReceiver: true), Californian, "Accept-Language: ru|User-Agent: x");
        SenderMetadata sender = facts.Sender;
        Assert.Equal(["ru"], facts.Languages.Tags);
        Assert.Contains("\"США\"", Encoding.UTF8.GetString(sender.Utf8Json), StringComparison.Ordinal);
        byte[] german = sender.ReadBy(new LanguagePriorityList(["de"], []));
        Assert.Equal("""{"city":"Mountain View","country":"Vereinigte Staaten","region":"Kalifornien","remote":"192.0.2.1","ua":"x"}""", Encoding.UTF8.GetString(german));
        Assert.Same(german, sender.ReadBy(new LanguagePriorityList(["de-AT", "fr"], [])));
        Assert.NotSame(german, sender.ReadBy(new LanguagePriorityList(["fr"], [])));
        Assert.Same(german, sender.ReadBy(new LanguagePriorityList(["nl", "de"], [])));
        Assert.Same(sender.Utf8Json, sender.ReadBy(facts.Languages));
        byte[] english = sender.ReadBy(LanguagePriorityList.None);
        Assert.Same(english, sender.ReadBy(new LanguagePriorityList(["nl"], ["de"])));
    }

    [Fact]
    public void Receivers_read_the_load_balancers_city_where_the_database_has_none()
    {
        Visitor facts = Read(Reader(localizeForReceiver: true), "10.0.0.1", $"X-Forwarded-For: {Scottish}|X-Client-Geo-Location: S,D");
        byte[] german = facts.Sender.ReadBy(new LanguagePriorityList(["de"], []));
        Assert.Equal("""{"city":"D","country":"Vereinigtes Königreich","region":"S","remote":"192.0.2.225"}""", Encoding.UTF8.GetString(german));
    }

    [Fact]
    public void A_receiver_who_reads_on_costs_nothing()
    {
        SenderMetadata sender = Read(Reader(localizeForReceiver: true), Californian, "").Sender;
        LanguagePriorityList receiver = new(["de"], []);
        sender.ReadBy(receiver);
        Allocation.AssertNone(() =>
        {
            for (int message = 0; message < 1000; message++)
                sender.ReadBy(receiver);
        });
    }

    internal static ClientFactsReader Reader(bool localizeForReceiver = false) =>
        new(TrustedProxies.Default, GeoFiles.Source(_geo), localizeForReceiver, NullLogger.Instance);

    private static Visitor Read(ClientFactsReader reader, string? peer, string lines) =>
        reader.Read(
            Heads.With(lines.Split('|', StringSplitOptions.RemoveEmptyEntries)),
            peer is null ? null : IPAddress.Parse(peer));
}
