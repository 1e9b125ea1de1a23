using System.Net;
using System.Net.Sockets;
using ChannelServer.Relay;

namespace ChannelServer;

/// <summary>
/// Everything that an operator can set, read once at the start and never changed. A property's initial value is the setting's
/// default; names, units and accepted values stand in <see cref="SettingDefinition"/>.
/// </summary>
public sealed record Settings
{
    /// <summary>The address to listen on: an IP address, or <c>localhost</c>. <c>0.0.0.0</c> and <c>::</c> both mean every
    /// address of the machine, IPv4 and IPv6; to serve IPv4 alone, name an IPv4 address.</summary>
    public string Hostname { get; init; } = "0.0.0.0";

    /// <summary>The TCP port, 0 to 65535. 0 takes any free port.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>Which driver carries the channels.</summary>
    public Engine Engine { get; init; } = Engine.Auto;

    /// <summary>Shards, each with its own channels, and on Linux its own thread, 0 to 256. 0 takes one for each core that the process may use,
    /// as its affinity and its cgroup's quota say.</summary>
    public int Shards { get; init; }

    /// <summary>Seats of a channel, live and held together, 1 to 255.</summary>
    public int MaxChannelConnections { get; init; } = 3;

    /// <summary>How long a channel lives, from its opening. Zero means no limit.</summary>
    public TimeSpan ConnLifespan { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>How long a session may go without any frame from its client. Never zero; not kept when <see cref="Heartbeat"/> is
    /// zero.</summary>
    public TimeSpan ClientTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often each client is pinged. Zero means no pings, and no client timeout either.</summary>
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Messages relayed through a channel, all senders together. 0 means no limit.</summary>
    public int MaxExchanges { get; init; } = 10;

    /// <summary>Octets of message text relayed through a channel, all senders together. 0 means no limit.</summary>
    public long MaxData { get; init; }

    /// <summary>Octets of one message, whole or fragmented, 1 to 16777216.</summary>
    public int MaxMessage { get; init; } = 65536;

    /// <summary>How long a seat is held for a client whose connection was lost. Zero means that none is.</summary>
    public TimeSpan ResumeWindow { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Connections that carry channels, at most. 0 derives it from the descriptors that the process may have.</summary>
    public int MaxConnections { get; init; }

    /// <summary>Octets of buffers that all connections hold together before each is bounded to an equal share. 0 takes a quarter of what the
    /// heap may have.</summary>
    public long MaxBuffered { get; init; }

    /// <summary>The web origins whose pages may use the server, between commas. Empty means all.</summary>
    public string AllowedOrigins { get; init; } = "";

    /// <summary>What happens when a client address reaches one of its limits.</summary>
    public LimitMode LimitMode { get; init; } = LimitMode.Enforce;

    /// <summary>Channels that one client address may open per minute, and at once. 0 means no limit.</summary>
    public int LimitOpens { get; init; } = 300;

    /// <summary>Joins of one client address per minute, and at once. 0 means no limit.</summary>
    public int LimitJoins { get; init; } = 600;

    /// <summary>Joins of one client address that fail, per minute, and at once. 0 means no limit.</summary>
    public int LimitFailedJoins { get; init; } = 60;

    /// <summary>Connections of one client address at a time. 0 means no limit.</summary>
    public int LimitConnections { get; init; } = 512;

    /// <summary>How long a server that is told to stop goes on as before, apart from taking nothing new.</summary>
    public TimeSpan DrainGrace { get; init; } = TimeSpan.Zero;

    /// <summary>Over what time the ends of the channels are spread when the server stops, after <see cref="DrainGrace"/>.</summary>
    public TimeSpan DrainWindow { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long sessions may take to close when the server stops, after <see cref="DrainWindow"/>. Zero cuts them at once.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Which networks may name the client of a connection, besides the private ones: addresses and CIDRs between commas; the
    /// word <c>none</c> drops the private ones. Empty adds nothing.</summary>
    public string TrustedProxyList { get; init; } = "";

    /// <summary>The file of the MaxMind database. Empty means no location.</summary>
    public string MmdbLoc { get; init; } = "mmdb/latest/GeoLite2-City.mmdb";

    /// <summary>Whether the operator named <see cref="MmdbLoc"/>. A named database must be there and sound; the default one may be
    /// missing.</summary>
    internal bool MmdbNamed => IsNamed("mmdb_loc");

    /// <summary>How often to look whether the database has been replaced. Zero means never, unless asked.</summary>
    public TimeSpan MmdbCheck { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The language of place names when the client prefers none that the database has.</summary>
    public string DefaultLang { get; init; } = "en";

    /// <summary>Whose preferred language words the place names in a message.</summary>
    public LocalizeFor LocalizeFor { get; init; } = LocalizeFor.Sender;

    /// <summary>Where statistics go, by UDP. Null means nowhere.</summary>
    public StatsdTarget? StatsdHost { get; init; } = new StatsdTarget("localhost", StatsdTarget.DefaultPort);

    /// <summary>The first part of every statistic's name. Empty means none.</summary>
    public string MetricName { get; init; } = "channelserver";

    /// <summary>Log lines for reading instead of JSON.</summary>
    public bool HumanLogs { get; init; }

    /// <summary>Adds the Debug lines to the log, and lifts <see cref="LogRate"/>.</summary>
    public bool Debug { get; init; }

    /// <summary>Adds the HTTP server's own Information lines to the log; without it only its warnings show.</summary>
    public bool Verbose { get; init; }

    /// <summary>How much of a client's address the log tells.</summary>
    public LogRemote LogRemote { get; init; } = LogRemote.Net;

    /// <summary>Log lines per second that clients may cause; what is more is counted in one line per second. 0 means no limit.</summary>
    public int LogRate { get; init; } = 15;

    /// <summary>The address of an IP reputation service. Empty means none.</summary>
    public string IpReputationServer { get; init; } = "";

    /// <summary>The API key for it. Empty means none.</summary>
    public string IprepKey { get; init; } = "";

    /// <summary>The least reputation that a client may have, 0 to 100. 0 lets everyone in, and nobody is asked.</summary>
    public int IprepMin { get; init; }

    /// <summary>How long an upgrade waits for the reputation of its address before it is let in without.</summary>
    public TimeSpan IprepTimeout { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>What a client that misbehaves is reported for.</summary>
    public string IpViolation { get; init; } = "channel_abuse";

    /// <summary>The names of the settings that the operator gave, whatever their source.</summary>
    internal IReadOnlySet<string> Named { get; init; } = new HashSet<string>();

    /// <summary>Tells no values: one of them is a secret.</summary>
    public override string ToString() => nameof(Settings);

    /// <summary>Whether the operator gave the setting, even if he gave its default.</summary>
    internal bool IsNamed(string name) => Named.Contains(name);

    /// <summary>
    /// Reads the settings. Arguments outweigh the environment, which outweighs the file <c>config/{RUN_MODE}</c>, which outweighs the
    /// defaults.
    /// </summary>
    /// <param name="args">The command line, without the program's name.</param>
    /// <param name="environment">The environment; only <c>RUN_MODE</c> and names that begin with <c>PAIR_</c> are looked at.</param>
    /// <param name="directory">Where the folder <c>config</c> is looked for: the working directory.</param>
    public static SettingsLoad Load(IReadOnlyList<string> args, IReadOnlyDictionary<string, string> environment, string directory) =>
        SettingsLoader.Load(args, environment, directory);

    /// <summary>What the relay needs of the settings.</summary>
    internal Limits ToLimits() => new()
    {
        MaxChannelConnections = MaxChannelConnections,
        MaxExchanges = MaxExchanges,
        MaxData = MaxData,
        MaxMessage = MaxMessage,
        ConnLifespan = ConnLifespan,
        ClientTimeout = ClientTimeout,
        Heartbeat = Heartbeat,
        ResumeWindow = ResumeWindow,
    };

    /// <summary>
    /// The addresses to bind. For <c>0.0.0.0</c> and <c>::</c> the IPv6 any-address, whose socket must be made dual-stack, where the system
    /// has IPv6; for <c>localhost</c> both loopback addresses.
    /// </summary>
    internal IReadOnlyList<IPAddress> ListenAddresses()
    {
        bool ipv6 = Socket.OSSupportsIPv6;
        if (Hostname == "localhost")
            return ipv6 ? [IPAddress.Loopback, IPAddress.IPv6Loopback] : [IPAddress.Loopback];
        IPAddress address = IPAddress.Parse(Hostname);
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            return [ipv6 ? IPAddress.IPv6Any : IPAddress.Any];
        return [address];
    }
}

/// <summary>The drivers that can carry the channels.</summary>
public enum Engine
{
    /// <summary>The Linux engine where it runs, else Kestrel.</summary>
    Auto,

    /// <summary>The Linux engine: epoll, a thread per shard.</summary>
    Epoll,

    /// <summary>Kestrel's connections: every operating system.</summary>
    Kestrel,
}

/// <summary>What the limits of a client address do.</summary>
public enum LimitMode
{
    /// <summary>Refuse with 429.</summary>
    Enforce,

    /// <summary>Count and log whom they would refuse.</summary>
    Log,

    /// <summary>Nothing.</summary>
    Off,
}

/// <summary>Whose <c>Accept-Language</c> chooses the language of place names.</summary>
public enum LocalizeFor
{
    /// <summary>The sender's, as Mozilla's server does.</summary>
    Sender,

    /// <summary>The receiver's: who reads the names.</summary>
    Receiver,
}

/// <summary>How much of a client's address the log tells.</summary>
public enum LogRemote
{
    /// <summary>Its network: the /24 of an IPv4 address, the /48 of an IPv6 address.</summary>
    Net,

    /// <summary>All of it.</summary>
    Full,

    /// <summary>Nothing.</summary>
    None,
}

/// <summary>Where a statsd server listens.</summary>
/// <param name="Host">A name or an IP address, without brackets.</param>
/// <param name="Port">The UDP port.</param>
public readonly record struct StatsdTarget(string Host, int Port)
{
    /// <summary>The port that statsd servers listen on unless told otherwise.</summary>
    public const int DefaultPort = 8125;

    // RFC 1035, 2.3.4, as text and without the last dot. A resolver refuses a longer one outright.
    private const int LongestName = 253;

    /// <summary>Reads <c>host</c>, <c>host:port</c>, <c>[v6]:port</c> or a bare IPv6 address.</summary>
    public static StatsdTarget? Parse(string text)
    {
        string host = text;
        int port = DefaultPort;
        int colon = text.LastIndexOf(':');
        bool bareIpv6 = colon >= 0 && text.IndexOf(':') != colon && !text.StartsWith('[');
        if (!bareIpv6 && colon > text.LastIndexOf(']'))
        {
            if (!int.TryParse(text.AsSpan(colon + 1), System.Globalization.NumberStyles.None, null, out port) || port is < 1 or > 65535)
                return null;
            host = text[..colon];
        }
        if (bareIpv6 || host.StartsWith('['))
        {
            host = host.Trim('[', ']');
            return IPAddress.TryParse(host, out IPAddress? address) && address.AddressFamily == AddressFamily.InterNetworkV6
                ? new StatsdTarget(host, port)
                : null;
        }
        return host.Length <= LongestName && Uri.CheckHostName(host) is UriHostNameType.Dns or UriHostNameType.IPv4 ? new StatsdTarget(host, port) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => Host.Contains(':') ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
