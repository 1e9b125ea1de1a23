using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelServer.Http;

/// <summary>
/// The networks whose word about a client's address is taken (<c>trusted_proxy_list</c>). Loopback is not among them by default:
/// who connects from this machine is a client like any other.
/// </summary>
internal sealed class TrustedProxies
{
    /// <summary>The word that drops the defaults.</summary>
    public const string NoDefaults = "none";

    // The private networks of RFC 1918, as Mozilla's server trusts them.
    private static readonly IPNetwork[] _defaults =
    [
        new(new IPAddress([10, 0, 0, 0]), 8),
        new(new IPAddress([172, 16, 0, 0]), 12),
        new(new IPAddress([192, 168, 0, 0]), 16),
    ];

    private readonly IPNetwork[] _networks;

    private TrustedProxies(IPNetwork[] networks, bool keepsDefaults)
    {
        _networks = networks;
        KeepsDefaults = keepsDefaults;
    }

    /// <summary>What is trusted when nothing is said.</summary>
    public static TrustedProxies Default { get; } = new(_defaults, keepsDefaults: true);

    /// <summary>Whether private networks are trusted, and so nothing was said about who sits there.</summary>
    public bool KeepsDefaults { get; }

    /// <summary>How many networks are trusted.</summary>
    public int Count => _networks.Length;

    /// <summary>
    /// Reads addresses and CIDRs, separated by commas; they add to the defaults unless the word <c>none</c> is among them. Host
    /// bits behind the prefix are dropped (<c>10.1.2.3/8</c> is 10.0.0.0/8): lists that ran with Mozilla's server go on to work.
    /// </summary>
    /// <param name="list">The setting's value.</param>
    /// <param name="proxies">The networks.</param>
    /// <param name="error">Which entry is wrong, and what is accepted.</param>
    public static bool TryParse(string list, [NotNullWhen(true)] out TrustedProxies? proxies, [NotNullWhen(false)] out string? error)
    {
        List<IPNetwork> networks = [];
        bool keepsDefaults = true;
        proxies = null;
        foreach (string entry in list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (entry.Equals(NoDefaults, StringComparison.OrdinalIgnoreCase))
            {
                keepsDefaults = false;
            }
            else if (TryParseNetwork(entry, out IPNetwork network))
            {
                networks.Add(network);
            }
            else
            {
                error = $"'{entry}' is neither an IP address nor a CIDR such as 203.0.113.0/24 or 2001:db8::/32, nor the word {NoDefaults}";
                return false;
            }
        }
        proxies = new([.. keepsDefaults ? _defaults : [], .. networks], keepsDefaults);
        error = null;
        return true;
    }

    /// <summary>Whether an address is trusted. An IPv4 address mapped into IPv6 is that IPv4 address.</summary>
    public bool Contains(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        foreach (IPNetwork network in _networks)
        {
            if (network.Contains(address))
                return true;
        }
        return false;
    }

    private static bool TryParseNetwork(string entry, out IPNetwork network)
    {
        network = default;
        int slash = entry.IndexOf('/', StringComparison.Ordinal);
        string addressText = slash < 0 ? entry : entry[..slash];
        if (!AddressText.TryParseAsWritten(Encoding.UTF8.GetBytes(addressText), out IPAddress address))
            return false;

        int bits = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        int prefix = bits;
        if (slash >= 0)
        {
            string prefixText = entry[(slash + 1)..];
            if (prefixText.Length > 3 || !AddressText.TryParseDecimal(Encoding.UTF8.GetBytes(prefixText), bits, out prefix))
                return false;
        }
        if (address.IsIPv4MappedToIPv6)
        {
            // A prefix shorter than ::ffff:0:0/96 is no IPv4 network, and what it means is anyone's guess.
            if (prefix < 96)
                return false;
            address = address.MapToIPv4();
            prefix -= 96;
        }
        network = new IPNetwork(address, prefix);
        return true;
    }
}
