using System.Net;
using System.Text;
using System.Text.Json;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.WebSockets;
using CsCheck;

namespace ChannelServer.Tests.Http;

public sealed class ClientFactsProperties
{
    /// <summary>Three names, a user agent and an address, every octet escaped at its longest, in their frame.</summary>
    private const int LongestSender = (3 * 256 * 6) + (512 * 2) + 45 + 70;

    private static readonly string[] _keys = ["city", "country", "region", "remote", "ua"];

    private static readonly ClientFactsReader[] _readers =
        [ClientFactsReaderTests.Reader(), ClientFactsReaderTests.Reader(localizeForReceiver: true)];

    /// <summary>Octets that a field value may hold, so that the head parser lets them through, and those that matter more often.</summary>
    private static readonly Gen<string> _value = Gen.OneOf(
        Gen.Char['\u0020', '\u00ff'].Where(character => character != '\u007f').Array[0, 300].Select(characters => new string(characters)),
        OneOf(
            "192.0.2.1", "192.0.2.225", "192.0.2.255", "[2001:db8:1::1]:443", "10.0.0.1", "::1", "\"", ",", ", ", ";q=0", ";q=0.5", "de", "pt", "*", "zh-Hant-TW",
            "en", ":", "[", "]", "\t", "\\", "\u00c3\u00bc", "\u00e2\u0080\u00ae", new string('x', 500), new string(',', 300))
            .Array[0, 12].Select(string.Concat));

    private static readonly Gen<string> _line = Gen.Select(
        OneOf("X-Forwarded-For", "Accept-Language", "User-Agent", "X-Client-Geo-Location"), _value, (name, value) => $"{name}: {value}");

    private static readonly Gen<IPAddress> _peer = Gen.OneOf(
        OneOf("10.0.0.1", "127.0.0.1", "::ffff:10.0.0.1", "192.0.2.1", "2001:db8:1::1", "fe80::1%2").Select(IPAddress.Parse),
        Gen.Byte.Array[16].Select(octets => new IPAddress(octets)),
        Gen.Byte.Array[4].Select(octets => new IPAddress(octets)));

    [Fact]
    public void Whatever_the_headers_say_the_sender_is_JSON_with_known_keys_and_bounded() =>
        Gen.Select(_line.Array[0, 6], _peer, Gen.Bool).Sample((lines, peer, forReceiver) =>
        {
            byte[] bytes = Heads.Bytes(lines);
            if (RequestHead.TryParse(bytes, out RequestHead head) != HeadStatus.Complete)
                return;
            Visitor facts = _readers[forReceiver ? 1 : 0].Read(head, peer);
            Check(facts.Sender.Utf8Json, facts.Address);
            Check(facts.Sender.ReadBy(facts.Languages), facts.Address);
            Assert.InRange(facts.Languages.Tags.Count + facts.Languages.Excluded.Count, 0, AcceptLanguage.MaxTags);
        }, iter: 20_000);

    [Fact]
    public void Any_octets_are_read_without_an_exception() =>
        Gen.Byte.Array[0, 400].Sample(octets =>
        {
            AcceptLanguage.Parse(octets);
            ClientGeoLocation.Parse(octets);
            _ = AddressText.TryParseHop(octets, out _);
            Assert.DoesNotContain(LogText.Of(octets), character => character is < ' ' or > '~');
        }, iter: 20_000);

    [Fact]
    public void An_address_is_read_as_it_is_written() =>
        _peer.Sample(address =>
        {
            IPAddress canonical = AddressText.Canonical(address);
            Assert.True(AddressText.TryParseHop(Encoding.ASCII.GetBytes(canonical.ToString()), out IPAddress read));
            Assert.Equal(canonical, read);
            string withPort = canonical.GetAddressBytes().Length == 4 ? $"{canonical}:1" : $"\"[{canonical}]:65535\"";
            Assert.True(AddressText.TryParseHop(Encoding.ASCII.GetBytes(withPort), out read));
            Assert.Equal(canonical, read);
        }, iter: 5_000);

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(index => texts[index]);

    private static void Check(byte[] json, IPAddress? address)
    {
        Assert.InRange(json.Length, 2, LongestSender);
        // Strict: refuses invalid UTF-8 too.
        using JsonDocument document = JsonDocument.Parse(json);
        string[] keys = [.. document.RootElement.EnumerateObject().Select(property => property.Name)];
        Assert.Equal(keys.Order(StringComparer.Ordinal), keys);
        Assert.Equal(keys.Distinct(), keys);
        Assert.Subset(_keys.ToHashSet(), keys.ToHashSet());
        foreach (JsonProperty property in document.RootElement.EnumerateObject())
            Assert.NotEqual("", property.Value.GetString());
        Assert.Equal(address?.ToString(), document.RootElement.TryGetProperty("remote", out JsonElement remote) ? remote.GetString() : null);
        Assert.DoesNotContain(json, octet => octet < 0x20);
    }
}
