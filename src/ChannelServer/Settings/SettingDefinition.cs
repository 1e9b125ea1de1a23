using System.Globalization;
using System.Net;

namespace ChannelServer;

/// <summary>
/// One setting as parser, help and documentation know it. <see cref="All"/> is the only list of settings.
/// </summary>
/// <param name="Name">As it is written in files and after <c>--</c>.</param>
/// <param name="Unit">Of the value; empty when it has none.</param>
/// <param name="Accepts">What is accepted, as an error message ends.</param>
/// <param name="Meaning">One or two sentences for the help.</param>
/// <param name="Show">The value of a record as text that <see cref="Read"/> reads.</param>
/// <param name="Read">The record with the value; null when the text is not accepted.</param>
internal sealed record SettingDefinition(
    string Name, string Unit, string Accepts, string Meaning, Func<Settings, string> Show, Func<Settings, string, Settings?> Read)
{
    /// <summary>True or false; as a bare argument it means true.</summary>
    public bool IsSwitch { get; private init; }

    /// <summary>Whether a value may hold a secret: then no message repeats it.</summary>
    public bool IsConfidential { get; private init; }

    /// <summary>Finds in a list that is not accepted the entry to blame; null when the value is no list.</summary>
    public Func<string, string>? Culprit { get; private init; }

    /// <summary>A second name of the setting.</summary>
    public string? Alias { get; private init; }

    public string Variable => "PAIR_" + Name.ToUpperInvariant();

    public string Default => Show(new Settings());

    public static IReadOnlyList<SettingDefinition> All { get; } =
    [
        new("hostname", "", "an IP address or localhost",
            "Address to listen on. 0.0.0.0 and :: both mean every address, IPv4 and IPv6.",
            s => s.Hostname, (s, v) => ListenAddress(v) is { } host ? s with { Hostname = host } : null),
        Integer("port", "", 0, 65535, "TCP port to listen on. 0 takes any free port.",
            s => s.Port, (s, v) => s with { Port = (int)v }),
        Choice("engine", "Driver that carries the channels. auto takes epoll on Linux, and kestrel elsewhere.",
            s => s.Engine, (s, v) => s with { Engine = v }),
        Integer("shards", "shards", 0, 256, "Sets of channels that run side by side. 0 takes one for each core that the process may use.",
            s => s.Shards, (s, v) => s with { Shards = (int)v }),
        Integer("max_channel_connections", "seats", 1, 255, "Participants of one channel.",
            s => s.MaxChannelConnections, (s, v) => s with { MaxChannelConnections = (int)v }),
        Seconds("conn_lifespan", 0, 604_800, "How long a channel lives, from its opening, whatever happens in it. 0 means no limit.",
            s => s.ConnLifespan, (s, v) => s with { ConnLifespan = v }),
        Seconds("client_timeout", 0.01, 86_400,
            "How long a session may go without any frame from its client. Must be greater than heartbeat. "
            + "Never 0; to keep silent clients set heartbeat to 0.",
            s => s.ClientTimeout, (s, v) => s with { ClientTimeout = v }),
        Seconds("heartbeat", 0, 86_400, "How often each client is pinged. 0 means no pings, and no client timeout either.",
            s => s.Heartbeat, (s, v) => s with { Heartbeat = v }) with { Alias = "heartbeat_interval" },
        Seconds("resume_window", 0, 3600,
            "How long the seat of a client whose connection was lost is held for it, within conn_lifespan. 0 holds none, and gives no tokens.",
            s => s.ResumeWindow, (s, v) => s with { ResumeWindow = v }),
        Integer("max_exchanges", "messages", 0, int.MaxValue,
            "Messages relayed through one channel, all senders together. 0 means no limit.",
            s => s.MaxExchanges, (s, v) => s with { MaxExchanges = (int)v }),
        Integer("max_data", "octets", 0, 1L << 40,
            "Message text relayed through one channel, all senders together. 0 means no limit.",
            s => s.MaxData, (s, v) => s with { MaxData = v }),
        Integer("max_message", "octets", 1, 1 << 24, "One message, whole or fragmented.",
            s => s.MaxMessage, (s, v) => s with { MaxMessage = (int)v }),
        Integer("max_connections", "connections", 0, int.MaxValue,
            "Connections that carry channels. 0 takes 80 % of the descriptors that the process may have, where the system tells.",
            s => s.MaxConnections, (s, v) => s with { MaxConnections = (int)v }),
        Integer("max_buffered", "octets", 0, 1L << 40,
            "Messages under way, waiting and kept, of all connections together, before each connection is bounded to an equal share of it. "
            + "0 takes a quarter of the memory that the heap may have, which is 3/4 of a container's.",
            s => s.MaxBuffered, (s, v) => s with { MaxBuffered = v }),
        List("allowed_origins", "origins such as https://example.com between commas, lower case, without a path",
            static v => Admission.AllowedOrigins.TryParse(v, out _),
            "Web origins whose pages may use the server. Empty allows all. Clients that send no Origin are always let in.",
            s => s.AllowedOrigins, (s, v) => s with { AllowedOrigins = v }),
        Choice("limit_mode", "Whether the limits of a client address refuse, are only logged and counted, or do not exist.",
            s => s.LimitMode, (s, v) => s with { LimitMode = v }),
        Integer("limit_opens", "per minute", 0, MaxPerMinute,
            "Channels that one client address may open; as many at once. 0 means no limit.",
            s => s.LimitOpens, (s, v) => s with { LimitOpens = (int)v }),
        Integer("limit_joins", "per minute", 0, MaxPerMinute, "Joins of one client address; as many at once. 0 means no limit.",
            s => s.LimitJoins, (s, v) => s with { LimitJoins = (int)v }),
        Integer("limit_failed_joins", "per minute", 0, MaxPerMinute,
            "Joins of one client address that find no channel or a full one; as many at once. 0 means no limit.",
            s => s.LimitFailedJoins, (s, v) => s with { LimitFailedJoins = (int)v }),
        Integer("limit_connections", "connections", 0, MaxPerMinute, "Connections of one client address at a time. 0 means no limit.",
            s => s.LimitConnections, (s, v) => s with { LimitConnections = (int)v }),
        Seconds("drain_grace", 0, 3600,
            "How long a server that is told to stop keeps its sessions, while it takes nothing new, so that load balancers notice.",
            s => s.DrainGrace, (s, v) => s with { DrainGrace = v }),
        Seconds("drain_window", 0, 3600, "Over what time a stopping server spreads the ends of its channels. 0 ends all at once.",
            s => s.DrainWindow, (s, v) => s with { DrainWindow = v }),
        Seconds("shutdown_timeout", 0, 3600,
            "How long the last sessions may take to close when the server stops. 0 cuts them at once.",
            s => s.ShutdownTimeout, (s, v) => s with { ShutdownTimeout = v }),
        List("trusted_proxy_list", "IP addresses and CIDRs between commas; the word none drops the private networks",
            static v => Http.TrustedProxies.TryParse(v, out _, out _),
            "Proxies whose X-Forwarded-For is believed, besides 10/8, 172.16/12 and 192.168/16. Empty adds none.",
            s => s.TrustedProxyList, (s, v) => s with { TrustedProxyList = v }),
        Text("mmdb_loc", "the path of a file", static _ => true,
            "MaxMind City database that places clients. Empty means no location. A database named here must exist and be sound.",
            s => s.MmdbLoc, (s, v) => s with { MmdbLoc = v }),
        Seconds("mmdb_check", 0, 86_400, "How often to look whether the database has been replaced, to take the new one. 0 means only at SIGHUP.",
            s => s.MmdbCheck, (s, v) => s with { MmdbCheck = v }),
        Text("default_lang", "a language tag such as en or pt-BR",
            static v => v.Length is > 0 and <= 35 && v.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-'),
            "Language of place names when the client prefers none that the database has.",
            s => s.DefaultLang, (s, v) => s with { DefaultLang = v }),
        Choice("localize_for", "Whose preferred language words the place names that a message carries.",
            s => s.LocalizeFor, (s, v) => s with { LocalizeFor = v }),
        new("statsd_host", "", "host, host:port or [IPv6]:port, or nothing",
            "Where statistics go, by UDP. The port is 8125 unless given. Empty sends none.",
            s => s.StatsdHost?.ToString() ?? "",
            (s, v) => v.Length == 0 ? s with { StatsdHost = null } : StatsdTarget.Parse(v) is { } to ? s with { StatsdHost = to } : null),
        Text("metric_name", "ASCII letters, digits, dots, dashes and underscores, or nothing", IsName,
            "First part of the name of every statistic. Empty means none.",
            s => s.MetricName, (s, v) => s with { MetricName = v }),
        Switch("human_logs", "Writes the log for reading, instead of one JSON object per line.",
            s => s.HumanLogs, (s, v) => s with { HumanLogs = v }),
        Switch("debug", "Adds Debug lines to the log (every session's begin, every refusal with its reason), and lifts log_rate.",
            s => s.Debug, (s, v) => s with { Debug = v }),
        Switch("verbose", "Adds the HTTP server's own Information lines to the log, which otherwise shows only its warnings.",
            s => s.Verbose, (s, v) => s with { Verbose = v }),
        Choice("log_remote", "How much of a client's address the log tells: its network (IPv4 /24, IPv6 /48), all, or nothing.",
            s => s.LogRemote, (s, v) => s with { LogRemote = v }),
        Integer("log_rate", "lines per second", 0, 1_000_000,
            "Log lines that clients may cause. What is more is counted in one line per second. 0 means no limit.",
            s => s.LogRate, (s, v) => s with { LogRate = (int)v }),
        Text("ip_reputation_server", "an http or https URL without user, password and query, or nothing", static v => v.Length == 0 || IsServer(v),
            "IP reputation service (iprepd). Empty asks none.",
            s => s.IpReputationServer, (s, v) => s with { IpReputationServer = v }) with { IsConfidential = true },
        Text("iprep_key", "an API key of visible ASCII without blanks, or nothing", static v => v.All(static c => c is > ' ' and < '\u007f'),
            "API key that the reputation service is shown. Empty shows none. Give it in the environment or a file: arguments are seen by others.",
            s => s.IprepKey, (s, v) => s with { IprepKey = v }) with { IsConfidential = true },
        Integer("iprep_min", "", 0, 100, "Least reputation that a client may have. 0 lets everyone in, unasked.",
            s => s.IprepMin, (s, v) => s with { IprepMin = (int)v }),
        Seconds("iprep_timeout", 0.01, 10, "How long an upgrade waits for the reputation of its address before it is let in without.",
            s => s.IprepTimeout, (s, v) => s with { IprepTimeout = v }),
        Text("ip_violation", "ASCII letters, digits, dots, dashes and underscores", static v => v.Length > 0 && IsName(v),
            "What a misbehaving client is reported for to the reputation service.",
            s => s.IpViolation, (s, v) => s with { IpViolation = v }),
    ];

    /// <summary>Of the limits per address; eight times as much, for a site, is still an integer.</summary>
    private const int MaxPerMinute = 1_000_000;

    private static SettingDefinition Integer(
        string name, string unit, long least, long most, string meaning, Func<Settings, long> get, Func<Settings, long, Settings> set) =>
        new(name, unit, $"an integer from {least} to {most}", meaning,
            s => get(s).ToString(CultureInfo.InvariantCulture),
            (s, text) => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
                && value >= least && value <= most ? set(s, value) : null);

    private static SettingDefinition Seconds(
        string name, double least, double most, string meaning, Func<Settings, TimeSpan> get, Func<Settings, TimeSpan, Settings> set) =>
        new(name, "seconds", FormattableString.Invariant($"a number of seconds from {least} to {most}"), meaning,
            s => get(s).TotalSeconds.ToString(CultureInfo.InvariantCulture),
            // A positive time that rounds to zero would change its meaning.
            (s, text) => double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value)
                && value >= least && value <= most && value is 0 or >= 0.001 ? set(s, TimeSpan.FromSeconds(value)) : null);

    private static SettingDefinition Text(
        string name, string accepts, Func<string, bool> accept, string meaning, Func<Settings, string> get, Func<Settings, string, Settings> set) =>
        new(name, "", accepts, meaning, get, (s, text) => accept(text) ? set(s, text) : null);

    /// <summary>Text between commas, of which each entry must be accepted for itself.</summary>
    private static SettingDefinition List(
        string name, string accepts, Func<string, bool> accept, string meaning, Func<Settings, string> get, Func<Settings, string, Settings> set) =>
        Text(name, accepts, accept, meaning, get, set) with
        {
            Culprit = list => list.Split(',', StringSplitOptions.TrimEntries).FirstOrDefault(entry => !accept(entry)) ?? list,
        };

    private static SettingDefinition Switch(
        string name, string meaning, Func<Settings, bool> get, Func<Settings, bool, Settings> set) =>
        new(name, "", "true or false", meaning,
            s => get(s) ? "true" : "false",
            (s, text) => Truth(text) is { } value ? set(s, value) : null)
        {
            IsSwitch = true,
        };

    private static SettingDefinition Choice<T>(
        string name, string meaning, Func<Settings, T> get, Func<Settings, T, Settings> set) where T : struct, Enum
    {
        // Numbers, which Enum.TryParse would take, are no choice.
        string[] words = Enum.GetNames<T>();
        return new(name, "", string.Join(" or ", words).ToLowerInvariant(), meaning,
            s => $"{get(s)}".ToLowerInvariant(),
            (s, text) => words.Contains(text, StringComparer.OrdinalIgnoreCase) ? set(s, Enum.Parse<T>(text, ignoreCase: true)) : null);
    }

    /// <summary>The words that Mozilla's configuration library takes for true and false.</summary>
    internal static bool? Truth(string text) => text.ToLowerInvariant() switch
    {
        "true" or "1" or "yes" or "on" => true,
        "false" or "0" or "no" or "off" => false,
        _ => null,
    };

    private static string? ListenAddress(string text) =>
        text.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? "localhost"
        // IPAddress.TryParse also reads "1" and "0x7f.1" as addresses, which nobody means.
        : IPAddress.TryParse(text.Trim('[', ']'), out IPAddress? address) && (text.Contains(':') || text.Count('.') == 3)
            ? address.ToString()
            : null;

    private static bool IsServer(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https"
        && url.UserInfo.Length == 0 && url.Query.Length == 0 && url.Fragment.Length == 0;

    private static bool IsName(string text) =>
        text.Length <= 100 && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');
}
