using System.Net;
using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>Who a client is: where it comes from, what it reads, and what its peers are told of it in which language.</summary>
internal sealed class Person : SenderMetadata
{
    private static readonly LanguagePriorityList _german = new(["de"], []);

    /// <summary>Two ways to write one IPv4 address, two addresses of one household, strangers, and nobody known.</summary>
    private static readonly IPAddress?[] _addresses =
    [
        IPAddress.Parse("192.0.2.1"), IPAddress.Parse("::ffff:192.0.2.1"), IPAddress.Parse("192.0.2.2"),
        IPAddress.Parse("2001:db8:1:1::1"), IPAddress.Parse("2001:db8:1:1:ffff::2"), IPAddress.Parse("2001:db8:1:2::1"),
        IPAddress.IPv6Loopback, null,
    ];

    private readonly byte[] _german8;

    private Person(IPAddress? address, LanguagePriorityList languages, string place) : base(Encoding.UTF8.GetBytes(place))
    {
        Address = address;
        Languages = languages;
        _german8 = Encoding.UTF8.GetBytes(place.Replace("Cologne", "K\u00F6ln", StringComparison.Ordinal));
    }

    public static Person Nobody { get; } = new(null, LanguagePriorityList.None, "{}");

    public IPAddress? Address { get; }

    public LanguagePriorityList Languages { get; }

    public Visitor Visitor => new(Address, this, Languages);

    public static Person Draw(Prng chance) => new(
        chance.Pick(_addresses),
        chance.Chance(300) ? _german : LanguagePriorityList.None,
        chance.Pick("{}", "{\"city\":\"Cologne\",\"remote\":\"192.0.2.1\"}", "{\"city\":\"Cologne\",\"ua\":\"" + new string('x', 120) + "\"}"));

    public override byte[] ReadBy(LanguagePriorityList receiver) => receiver == _german ? _german8 : Utf8Json;
}
