using System.Net;
using ChannelServer.Http;

namespace ChannelServer.Tests.Http;

public sealed class TrustedProxiesTests
{
    [Theory]
    [InlineData("", "10.0.0.1", true)]
    [InlineData("", "10.255.255.255", true)]
    [InlineData("", "172.16.0.1", true)]
    [InlineData("", "172.31.255.255", true)]
    [InlineData("", "172.32.0.0", false)]
    [InlineData("", "192.168.1.1", true)]
    [InlineData("", "::ffff:192.168.1.1", true)]
    [InlineData("", "127.0.0.1", false)]
    [InlineData("", "::1", false)]
    [InlineData("", "203.0.113.1", false)]
    [InlineData("", "fd00::1", false)]
    [InlineData("127.0.0.1", "127.0.0.1", true)]
    [InlineData("127.0.0.1", "127.0.0.2", false)]
    [InlineData("127.0.0.1", "10.0.0.1", true)]
    [InlineData("203.0.113.0/24, 2001:db8::/32", "203.0.113.200", true)]
    [InlineData("203.0.113.0/24, 2001:db8::/32", "203.0.114.0", false)]
    [InlineData("203.0.113.0/24, 2001:db8::/32", "2001:db8:ffff::1", true)]
    [InlineData("203.0.113.0/24, 2001:db8::/32", "2001:db9::1", false)]
    [InlineData("2001:DB8::1", "2001:db8::1", true)]
    [InlineData("203.0.113.77/24", "203.0.113.1", true)]
    [InlineData("2001:db8::1/33", "2001:db8:7fff::", true)]
    [InlineData("2001:db8::1/33", "2001:db8:8000::", false)]
    [InlineData("::ffff:203.0.113.0/120", "203.0.113.9", true)]
    [InlineData("::ffff:203.0.113.0/120", "203.0.114.9", false)]
    [InlineData("203.0.113.9", "::ffff:203.0.113.9", true)]
    [InlineData("0.0.0.0/0", "8.8.8.8", true)]
    [InlineData("0.0.0.0/0", "2001:db8::1", false)]
    [InlineData("::/0", "2001:db8::1", true)]
    [InlineData("none", "10.0.0.1", false)]
    [InlineData("NONE, 203.0.113.1", "203.0.113.1", true)]
    [InlineData("203.0.113.1,none", "192.168.0.1", false)]
    [InlineData(" , 203.0.113.1 ,, ", "203.0.113.1", true)]
    public void Trusts_exactly_what_is_listed(string list, string address, bool isTrusted)
    {
        Assert.True(TrustedProxies.TryParse(list, out TrustedProxies? proxies, out string? error), error);
        Assert.Equal(isTrusted, proxies.Contains(IPAddress.Parse(address)));
    }

    [Theory]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/8/8")]
    [InlineData("10.0.0.0/ 8")]
    [InlineData("10.0.0")]
    [InlineData("10")]
    [InlineData("0x0a.0.0.1")]
    [InlineData("010.0.0.1")]
    [InlineData("10.0.0.256")]
    [InlineData("10.0.0.1:80")]
    [InlineData("[::1]")]
    [InlineData("2001:db8::/129")]
    [InlineData("fe80::1%eth0")]
    [InlineData("::ffff:10.0.0.0/95")]
    [InlineData("localhost")]
    [InlineData("nones")]
    [InlineData("10.0.0.0/99999999999")]
    public void Names_the_entry_that_is_wrong(string entry)
    {
        Assert.False(TrustedProxies.TryParse($"203.0.113.1, {entry}", out _, out string? error));
        Assert.Contains($"'{entry}'", error, StringComparison.Ordinal);
    }
}
