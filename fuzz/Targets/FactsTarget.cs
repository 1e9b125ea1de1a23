using System.Net;
using System.Text.Json;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.WebSockets;
using Microsoft.Extensions.Logging.Abstractions;
using static ChannelServer.Fuzz.FuzzTargets;

namespace ChannelServer.Fuzz;

/// <summary>
/// What is read out of a request's headers. The first octet chooses the peer; each line of the rest is the value of the next header in turn.
/// </summary>
internal static class FactsTarget
{
    private static readonly IPAddress[] _peers =
        [IPAddress.Parse("10.0.0.1"), IPAddress.Parse("::ffff:192.168.1.1"), IPAddress.Parse("192.0.2.1"), IPAddress.Parse("fe80::1%2")];

    private static readonly byte[][] _headers =
    [
        [.. "X-Forwarded-For: "u8], [.. "Accept-Language: "u8], [.. "User-Agent: "u8], [.. "X-Client-Geo-Location: "u8],
    ];

    private static readonly ClientFactsReader _reader = new(TrustedProxies.Default, new GeoSource("en"), localizeForReceiver: false, NullLogger.Instance);

    public static void Run(ReadOnlySpan<byte> octets)
    {
        FuzzInput input = new(octets);
        IPAddress peer = _peers[input.TakeByte() & 3];
        ReadOnlySpan<byte> rest = input.TakeRest();
        List<byte> bytes = [.. "GET /v1/ws/ HTTP/1.1\r\nHost: a\r\n"u8];
        int line = 0;
        foreach (Range range in rest.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> value = rest[range];
            CheckText(value);
            bytes.AddRange(_headers[line++ % _headers.Length]);
            bytes.AddRange(value);
            bytes.AddRange("\r\n"u8);
        }
        bytes.AddRange("\r\n"u8);
        if (RequestHead.TryParse(bytes.ToArray(), out RequestHead head) == HeadStatus.Complete)
            CheckFacts(head, peer);
    }

    private static void CheckText(ReadOnlySpan<byte> value)
    {
        CheckLanguages(AcceptLanguage.Parse(value));
        _ = ClientGeoLocation.Parse(value);
        foreach (char character in LogText.Of(value))
            Check(character is >= ' ' and <= '~');
        if (AddressText.TryParseHop(value, out IPAddress address))
        {
            Check(AddressText.TryParse(System.Text.Encoding.ASCII.GetBytes(address.ToString()), out IPAddress again));
            Check(again.Equals(address) && !address.IsIPv4MappedToIPv6);
        }
    }

    private static void CheckFacts(in RequestHead head, IPAddress peer)
    {
        CheckLanguages(AcceptLanguage.Of(head));
        Visitor visitor = _reader.Read(head, peer);
        using JsonDocument json = JsonDocument.Parse(visitor.Sender.Utf8Json);
        string previous = "";
        foreach (JsonProperty property in json.RootElement.EnumerateObject())
        {
            Check(property.Name is "city" or "region" or "country" or "remote" or "ua");
            Check(string.CompareOrdinal(previous, property.Name) < 0);
            Check(property.Value.GetString() is { Length: > 0 and <= 512 });
            previous = property.Name;
        }
        string? remote = json.RootElement.TryGetProperty("remote", out JsonElement value) ? value.GetString() : null;
        Check(remote == visitor.Address?.ToString());
        bool isTrusted = TrustedProxies.Default.Contains(AddressText.Canonical(peer));
        Check(isTrusted || AddressText.Canonical(peer).Equals(visitor.Address));
        Check(visitor.Address is null || !isTrusted || !TrustedProxies.Default.Contains(visitor.Address));
    }

    private static void CheckLanguages(LanguagePriorityList languages)
    {
        Check(languages.Tags.Count + languages.Excluded.Count <= AcceptLanguage.MaxTags);
        foreach (string tag in languages.Tags)
            Check(tag.Length > 0 && tag.All(static character => char.IsAsciiLetterOrDigit(character) || character is '-' or '*'));
    }
}
