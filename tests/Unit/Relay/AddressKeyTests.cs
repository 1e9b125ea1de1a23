using System.Net;
using ChannelServer.Relay;

namespace ChannelServer.Tests.Relay;

public sealed class AddressKeyTests
{
    [Theory]
    [InlineData("10.0.0.1", "10.0.0.1", true)]
    [InlineData("10.0.0.1", "10.0.0.2", false)]
    [InlineData("::ffff:10.0.0.1", "10.0.0.1", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("::1", "::1", true)]
    [InlineData("::1", "0.0.0.1", false)]
    [InlineData("::a00:1", "10.0.0.1", false)]
    [InlineData("fe80::1%1", "fe80::2%2", true)]
    [InlineData(null, "10.0.0.1", false)]
    [InlineData(null, null, false)]
    public void Addresses_match_exactly_or_by_their_64(string? one, string? other, bool match)
    {
        Assert.Equal(match, Key(one).Matches(Key(other)));
        Assert.Equal(match, Key(other).Matches(Key(one)));
    }

    private static AddressKey Key(string? text) => AddressKey.Of(text is null ? null : IPAddress.Parse(text));
}
