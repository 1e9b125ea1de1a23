using System.Net;
using ChannelServer.Http;

namespace ChannelServer.Tests.Http;

public sealed class ClientAddressTests
{
    private static readonly IPAddress _proxy = IPAddress.Parse("10.0.0.1");

    [Theory]
    [InlineData("203.0.113.9", "203.0.113.9")]
    [InlineData("198.51.100.1, 203.0.113.9", "203.0.113.9")]
    [InlineData("198.51.100.1,203.0.113.9,10.1.1.1,192.168.3.4", "203.0.113.9")]
    [InlineData("203.0.113.9, 127.0.0.1, 10.0.0.2", "203.0.113.9")]
    [InlineData("203.0.113.9, ::1, 127.9.9.9", "203.0.113.9")]
    [InlineData("rubbish, 203.0.113.9", "203.0.113.9")]
    [InlineData("203.0.113.9:567", "203.0.113.9")]
    [InlineData("\"203.0.113.9:567\"", "203.0.113.9")]
    [InlineData("203.0.113.9 \t,\t 10.0.0.2 ", "203.0.113.9")]
    [InlineData("2001:DB8:0:0::1", "2001:db8::1")]
    [InlineData("[2001:db8::1]", "2001:db8::1")]
    [InlineData("[2001:db8::1]:443", "2001:db8::1")]
    [InlineData("\"[2001:db8::1]:443\"", "2001:db8::1")]
    [InlineData("::ffff:203.0.113.9", "203.0.113.9")]
    [InlineData("[::ffff:203.0.113.9]:1", "203.0.113.9")]
    [InlineData("203.0.113.9, ::ffff:10.0.0.7", "203.0.113.9")]
    [InlineData("203.0.113.9, ::ffff:127.0.0.1", "203.0.113.9")]
    [InlineData("::FFFF:CB00:7109", "203.0.113.9")]
    public void A_trusted_proxy_tells_the_client(string header, string expected)
    {
        ClientAddress client = ClientAddress.Of(Heads.With("X-Forwarded-For: " + header), _proxy, TrustedProxies.Default);
        Assert.Equal(expected, client.Address?.ToString());
        Assert.True(client.PeerIsTrusted);
        Assert.Equal(ForwardedFault.None, client.Fault);
    }

    [Theory]
    [InlineData("unknown", 1, "unknown")]
    [InlineData("203.0.113.9, unknown, 10.0.0.2", 2, "unknown")]
    [InlineData("203.0.113.9,,10.0.0.2", 2, "")]
    [InlineData("203.0.113.9,", 1, "")]
    [InlineData("1", 1, "1")]
    [InlineData("0x7f.1", 1, "0x7f.1")]
    [InlineData("203.0.113", 1, "203.0.113")]
    [InlineData("203.0.113.09", 1, "203.0.113.09")]
    [InlineData("203.0.113.256", 1, "203.0.113.256")]
    [InlineData("203.0.113.9.1", 1, "203.0.113.9.1")]
    [InlineData("203.0.113.9:", 1, "203.0.113.9:")]
    [InlineData("203.0.113.9:65536", 1, "203.0.113.9:65536")]
    [InlineData("203.0.113.9:80a", 1, "203.0.113.9:80a")]
    [InlineData("[203.0.113.9]:80", 1, "[203.0.113.9]:80")]
    [InlineData("[2001:db8::1", 1, "[2001:db8::1")]
    [InlineData("[2001:db8::1]443", 1, "[2001:db8::1]443")]
    [InlineData("2001:db8::1]", 1, "2001:db8::1]")]
    [InlineData("fe80::1%eth0", 1, "fe80::1%eth0")]
    [InlineData("2001:db8::1/64", 1, "2001:db8::1/64")]
    [InlineData("::ffff:010.0.0.1", 1, "::ffff:010.0.0.1")]
    [InlineData("\"203.0.113.9", 1, "\\x22203.0.113.9")]
    [InlineData("a\tb\\\u00ff", 1, "a\\x09b\\x5c\\xff")]
    public void A_hop_that_is_no_address_is_blamed_and_nothing_left_of_it_believed(string header, int hop, string text)
    {
        ClientAddress client = ClientAddress.Of(Heads.With("X-Forwarded-For: " + header), _proxy, TrustedProxies.Default);
        Assert.Equal(new ClientAddress(null, true, ForwardedFault.Unparsable, hop, text), client);
    }

    [Fact]
    public void Long_hops_are_cut_for_the_log()
    {
        ClientAddress client = ClientAddress.Of(
            Heads.With("X-Forwarded-For: " + new string('x', 5000)), _proxy, TrustedProxies.Default);
        Assert.Equal(new string('x', LogText.MaxOctets) + "...", client.HopText);
    }

    [Fact]
    public void Nothing_but_proxies_is_no_client()
    {
        ClientAddress client = ClientAddress.Of(Heads.With("X-Forwarded-For: 127.0.0.1, 10.0.0.3"), _proxy, TrustedProxies.Default);
        Assert.Equal(new ClientAddress(null, true, ForwardedFault.OnlyProxies, 2, "127.0.0.1"), client);
    }

    [Fact]
    public void A_missing_header_is_no_client()
    {
        ClientAddress client = ClientAddress.Of(Heads.With(), _proxy, TrustedProxies.Default);
        Assert.Equal(new ClientAddress(null, true, ForwardedFault.Missing), client);
    }

    [Theory]
    [InlineData(31, "203.0.113.9")]
    [InlineData(32, null)]
    [InlineData(400, null)]
    public void At_most_32_hops_are_walked(int proxies, string? expected)
    {
        string header = "203.0.113.9" + string.Concat(Enumerable.Repeat(",10.0.0.2", proxies));
        ClientAddress client = ClientAddress.Of(Heads.With("X-Forwarded-For: " + header), _proxy, TrustedProxies.Default);
        Assert.Equal(expected, client.Address?.ToString());
        Assert.Equal(expected is null ? ForwardedFault.TooManyHops : ForwardedFault.None, client.Fault);
    }

    [Fact]
    public void All_lines_are_one_list()
    {
        ClientAddress client = ClientAddress.Of(
            Heads.With("X-Forwarded-For: 198.51.100.1", "User-Agent: x", "x-forwarded-for: 203.0.113.9", "X-FORWARDED-FOR: 10.0.0.2, 10.0.0.3"),
            _proxy, TrustedProxies.Default);
        Assert.Equal("203.0.113.9", client.Address?.ToString());
    }

    [Theory]
    [InlineData("203.0.113.50", "203.0.113.50")]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::1", "::1")]
    [InlineData("::ffff:203.0.113.50", "203.0.113.50")]
    [InlineData("fe80::1%3", "fe80::1")]
    public void A_peer_that_is_not_trusted_is_the_client(string peer, string expected)
    {
        ClientAddress client = ClientAddress.Of(
            Heads.With("X-Forwarded-For: 198.51.100.1"), IPAddress.Parse(peer), TrustedProxies.Default);
        Assert.Equal(expected, client.Address?.ToString());
        Assert.False(client.PeerIsTrusted);
    }

    [Fact]
    public void A_mapped_peer_can_be_trusted()
    {
        ClientAddress client = ClientAddress.Of(
            Heads.With("X-Forwarded-For: 198.51.100.1"), IPAddress.Parse("::ffff:10.0.0.1"), TrustedProxies.Default);
        Assert.Equal("198.51.100.1", client.Address?.ToString());
    }

    [Fact]
    public void Loopback_can_be_named_a_proxy()
    {
        Assert.True(TrustedProxies.TryParse("127.0.0.1", out TrustedProxies? proxies, out _));
        ClientAddress client = ClientAddress.Of(Heads.With("X-Forwarded-For: 198.51.100.1"), IPAddress.Loopback, proxies);
        Assert.Equal("198.51.100.1", client.Address?.ToString());
    }

    [Fact]
    public void No_peer_is_nobody() => Assert.Equal(default, ClientAddress.Of(Heads.With("X-Forwarded-For: 198.51.100.1"), null, TrustedProxies.Default));

    [Fact]
    public void A_hostile_header_allocates_little()
    {
        byte[] bytes = Heads.Bytes("X-Forwarded-For: " + string.Concat(Enumerable.Repeat("10.0.0.2,", 880)) + "10.0.0.2");
        ClientAddress.Of(Heads.Parse(bytes), _proxy, TrustedProxies.Default);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ClientAddress.Of(Heads.Parse(bytes), _proxy, TrustedProxies.Default);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4096);
    }
}
