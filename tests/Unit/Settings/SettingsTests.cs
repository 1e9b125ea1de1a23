using System.Net;
using ChannelServer.Relay;

namespace ChannelServer.Tests;

/// <summary>A working directory with a <c>config</c> folder, and the three sources of settings.</summary>
public sealed class SettingsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("channelserver-settings-").FullName;
    private readonly Dictionary<string, string> _environment = [];

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private SettingsLoad Load(params string[] args) => Settings.Load(args, _environment, _directory);

    private Settings Accept(params string[] args)
    {
        SettingsLoad load = Load(args);
        Assert.Equal("", load.Text);
        return Assert.IsType<Settings>(load.Settings);
    }

    private string Refuse(params string[] args)
    {
        SettingsLoad load = Load(args);
        Assert.Null(load.Settings);
        Assert.Equal(2, load.ExitStatus);
        Assert.DoesNotContain('\n', load.Text);
        Assert.StartsWith("channelserver: ", load.Text, StringComparison.Ordinal);
        return load.Text["channelserver: ".Length..];
    }

    private void File(string name, string text)
    {
        Directory.CreateDirectory(Path.Combine(_directory, "config"));
        System.IO.File.WriteAllText(Path.Combine(_directory, "config", name), text);
    }

    [Fact]
    public void Nothing_given_yields_the_defaults_of_the_original()
    {
        Settings settings = Accept();
        Assert.Equal("0.0.0.0", settings.Hostname);
        Assert.Equal(8000, settings.Port);
        Assert.Equal(3, settings.MaxChannelConnections);
        Assert.Equal(TimeSpan.FromSeconds(300), settings.ConnLifespan);
        Assert.Equal(TimeSpan.FromSeconds(30), settings.ClientTimeout);
        Assert.Equal(TimeSpan.FromSeconds(5), settings.Heartbeat);
        Assert.Equal(10, settings.MaxExchanges);
        Assert.Equal(0, settings.MaxData);
        Assert.False(settings.Debug);
        Assert.False(settings.Verbose);
        Assert.False(settings.HumanLogs);
        Assert.Equal("mmdb/latest/GeoLite2-City.mmdb", settings.MmdbLoc);
        Assert.False(settings.MmdbNamed);
        Assert.Equal(new StatsdTarget("localhost", 8125), settings.StatsdHost);
        Assert.Equal("channelserver", settings.MetricName);
        Assert.Equal("", settings.TrustedProxyList);
        Assert.Equal("", settings.IpReputationServer);
        Assert.Equal(0, settings.IprepMin);
        Assert.Equal("channel_abuse", settings.IpViolation);
        Assert.Equal("en", settings.DefaultLang);
        Assert.Equal(new Limits(), settings.ToLimits());
    }

    [Fact]
    public void Every_default_is_accepted_as_it_is_shown()
    {
        foreach (SettingDefinition definition in SettingDefinition.All)
        {
            Settings read = Accept($"--{definition.Name}={definition.Default}");
            Assert.Equal(definition.Default, definition.Show(read));
            Assert.True(read.IsNamed(definition.Name));
        }
    }

    [Fact]
    public void Every_setting_comes_from_the_environment_too()
    {
        foreach (SettingDefinition definition in SettingDefinition.All)
            _environment[definition.Variable] = definition.Default;
        Settings settings = Accept();
        Assert.All(SettingDefinition.All, definition => Assert.True(settings.IsNamed(definition.Name)));
    }

    [Fact]
    public void The_heavier_source_wins()
    {
        File("development.json", """{"port": 1, "max_exchanges": 1, "max_data": 1}""");
        Assert.Equal((1, 1, 1L), Pick(Accept()));
        _environment["PAIR_PORT"] = "2";
        _environment["pair_Max_Exchanges"] = "2";
        Assert.Equal((2, 2, 1L), Pick(Accept()));
        Assert.Equal((3, 2, 1L), Pick(Accept("--port=3")));

        static (int, int, long) Pick(Settings s) => (s.Port, s.MaxExchanges, s.MaxData);
    }

    [Theory]
    [InlineData("--port=9000")]
    [InlineData("--PORT= 9000 ")]
    [InlineData("--port", "9000")]
    [InlineData("--port=1", "--port=9000")]
    public void Arguments_are_forgiving(params string[] args) => Assert.Equal(9000, Accept(args).Port);

    [Theory]
    [InlineData("--max-channel-connections=7")]
    [InlineData("--Max_Channel-Connections", "7")]
    public void Dashes_and_underscores_are_the_same(params string[] args) => Assert.Equal(7, Accept(args).MaxChannelConnections);

    [Theory]
    [InlineData(true, "--debug")]
    [InlineData(true, "--debug", "--port=1")]
    [InlineData(true, "--debug", "on")]
    [InlineData(false, "--debug", "false")]
    [InlineData(false, "--debug=0")]
    public void A_bare_switch_is_on(bool expected, params string[] args) => Assert.Equal(expected, Accept(args).Debug);

    [Theory]
    [InlineData("--heartbeat=0.5")]
    [InlineData("--heartbeat_interval=.5")]
    [InlineData("--heartbeat-interval", "0.500")]
    public void Seconds_may_have_decimals_and_heartbeat_two_names(params string[] args) =>
        Assert.Equal(TimeSpan.FromMilliseconds(500), Accept(args).Heartbeat);

    [Theory]
    [InlineData("config.json", """{"port": 9000, /* why */ "debug": true, "default_lang": "pt-BR", "heartbeat": 2.5,}""")]
    [InlineData("config.ini", "# why\n; why\nport = 9000\r\ndebug=true\n default_lang = \"pt-BR\"\nheartbeat=2.5")]
    [InlineData("config.toml", "# why\nport = 9_000\ndebug = true\ndefault_lang = 'pt-BR'\nheartbeat = 2.5\n")]
    public void Files_of_three_kinds(string name, string text)
    {
        _environment["RUN_MODE"] = "production";
        File("production" + Path.GetExtension(name), text);
        Settings settings = Accept();
        Assert.Equal((9000, true, "pt-BR", 2.5), (settings.Port, settings.Debug, settings.DefaultLang, settings.Heartbeat.TotalSeconds));
    }

    [Theory]
    [InlineData("port", "http", "an integer from 0 to 65535")]
    [InlineData("port", "65536", "an integer from 0 to 65535")]
    [InlineData("port", "-1", "an integer from 0 to 65535")]
    [InlineData("port", "", "an integer from 0 to 65535")]
    [InlineData("port", "1,000", "an integer from 0 to 65535")]
    [InlineData("hostname", "example", "an IP address or localhost")]
    [InlineData("hostname", "1", "an IP address or localhost")]
    [InlineData("max_channel_connections", "0", "an integer from 1 to 255")]
    [InlineData("conn_lifespan", "NaN", "a number of seconds from 0 to 604800")]
    [InlineData("conn_lifespan", "1e3", "a number of seconds from 0 to 604800")]
    [InlineData("conn_lifespan", "0.0001", "a number of seconds from 0 to 604800")]
    [InlineData("client_timeout", "0", "a number of seconds from 0.01 to 86400")]
    [InlineData("max_message", "0", "an integer from 1 to 16777216")]
    [InlineData("max_data", "99999999999999999999", "an integer from 0 to 1099511627776")]
    [InlineData("debug", "maybe", "true or false")]
    [InlineData("localize_for", "1", "sender or receiver")]
    [InlineData("log_remote", "some", "net or full or none")]
    [InlineData("statsd_host", "a:b:c", "host, host:port or [IPv6]:port, or nothing")]
    [InlineData("statsd_host", "host:0", "host, host:port or [IPv6]:port, or nothing")]
    [InlineData("metric_name", "a b", "ASCII letters, digits, dots, dashes and underscores, or nothing")]
    [InlineData("default_lang", "en_US", "a language tag such as en or pt-BR")]
    [InlineData("iprep_min", "101", "an integer from 0 to 100")]
    [InlineData("mmdb_loc", "a\nb", "the path of a file")]
    public void A_bad_value_is_told_with_its_source_and_what_is_accepted(string name, string value, string accepts)
    {
        string shown = $"\"{value.Replace("\n", "\\u000a", StringComparison.Ordinal)}\" is not accepted: {accepts}";
        Assert.Equal($"setting {name} (argument --{name}): {shown}", Refuse($"--{name}={value}"));
        _environment["PAIR_" + name.ToUpperInvariant()] = value;
        Assert.Equal($"setting {name} (environment PAIR_{name.ToUpperInvariant()}): {shown}", Refuse());
    }

    [Theory]
    [InlineData("trusted_proxy_list", "10.0.0.0/8, 10.0.0.0/33, x",
        "\"10.0.0.0/33\" is not accepted: IP addresses and CIDRs between commas; the word none drops the private networks")]
    [InlineData("allowed_origins", "https://a.example,https://B.example",
        "\"https://B.example\" is not accepted: origins such as https://example.com between commas, lower case, without a path")]
    public void Of_a_list_the_entry_to_blame_is_told(string name, string value, string expected) =>
        Assert.Equal($"setting {name} (argument --{name}): {expected}", Refuse($"--{name}={value}"));

    [Fact]
    public void A_name_that_no_resolver_takes_is_no_statsd_host()
    {
        string longest = string.Join('.', Enumerable.Repeat(new string('a', 49), 5)) + ".ab";
        Assert.Equal(longest, Accept($"--statsd_host={longest}").StatsdHost?.Host);
        Assert.Contains("is not accepted: host,", Refuse($"--statsd_host={longest}c.d"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ip_reputation_server", "file:///secret", "an http or https URL without user, password and query, or nothing")]
    [InlineData("ip_reputation_server", "https://user:secret@example", "an http or https URL without user, password and query, or nothing")]
    [InlineData("ip_reputation_server", "https://example/?key=secret", "an http or https URL without user, password and query, or nothing")]
    [InlineData("iprep_key", "a secret", "an API key of visible ASCII without blanks, or nothing")]
    public void What_may_hold_a_secret_is_not_repeated(string name, string value, string accepts)
    {
        Assert.Equal($"setting {name} (argument --{name}): the value is not accepted: {accepts}", Refuse($"--{name}={value}"));
        Assert.DoesNotContain("secret", Accept("--iprep_key=secret").ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unknown argument \"--prot\"; did you mean --port?", "--prot=1")]
    [InlineData("unknown argument \"--heart-beat\"; did you mean --heartbeat?", "--heart-beat", "1")]
    [InlineData("unknown argument \"--\"; did you mean --port?", "--")]
    [InlineData("unexpected argument \"-p\"; settings are given as --name=value, see --help", "-p", "1")]
    [InlineData("unexpected argument \"\\u001b[2J\"; settings are given as --name=value, see --help", "\e[2J")]
    [InlineData("argument --port needs a value: an integer from 0 to 65535", "--port")]
    [InlineData("argument --port needs a value: an integer from 0 to 65535", "--port", "--debug")]
    [InlineData("setting port (argument --port): \"-1\" is not accepted: an integer from 0 to 65535", "--port", "-1")]
    [InlineData("setting client_timeout (argument --client_timeout: \"5\") must be greater than heartbeat (default: 5): "
        + "a client that only answers pings would be cut before it is asked", "--client_timeout=5")]
    public void A_bad_argument_is_told(string expected, params string[] args) => Assert.Equal(expected, Refuse(args));

    [Fact]
    public void A_silent_client_may_be_kept_by_turning_pings_off() =>
        Assert.Equal(TimeSpan.Zero, Accept("--heartbeat=0", "--client_timeout=1").ToLimits().Heartbeat);

    [Fact]
    public void A_bad_environment_is_told()
    {
        _environment["PAIR_PROT"] = "1";
        Assert.Equal("unknown name \"PAIR_PROT\" in the environment; did you mean PAIR_PORT?", Refuse());
        _environment.Clear();
        _environment["PAIR_HEARTBEAT"] = "1";
        _environment["pair_heartbeat_interval"] = "2";
        Assert.Equal("setting heartbeat is given twice: environment PAIR_HEARTBEAT and pair_heartbeat_interval", Refuse());
        _environment.Clear();
        _environment["RUN_MODE"] = "../etc/passwd";
        Assert.Equal(
            "RUN_MODE: \"../etc/passwd\" is not accepted: the name of a file in config, of letters, digits, _ and -", Refuse());
        _environment.Clear();
        _environment["PAIRING"] = "not ours";
        Accept();
    }

    [Theory]
    [InlineData("development.json", "{", "config/development.json: not valid JSON, line 1")]
    [InlineData("development.json", "[]", "config/development.json: not a JSON object")]
    [InlineData("development.json", """{"port": null}""", "config/development.json: \"port\" is neither a text nor a number nor true or false")]
    [InlineData("development.json", """{"port": 1, "Port": 2}""", "setting port is given twice in config/development.json")]
    [InlineData("development.json", """{"prot": 1}""", "unknown setting \"prot\" in config/development.json; did you mean port?")]
    [InlineData("development.json", """{"port": 1.5}""", "setting port (config/development.json): \"1.5\" is not accepted: an integer from 0 to 65535")]
    [InlineData("development.ini", "[server]\nport=1", "config/development.ini: line 1: sections are not used here")]
    [InlineData("development.ini", "\nport", "config/development.ini: line 2: expected name = value")]
    [InlineData("development.toml", "port = ", "config/development.toml: not valid TOML, line 1")]
    [InlineData("development.toml", "[server]\nport = 1", "config/development.toml: \"server\" is neither a text nor a number nor true or false")]
    [InlineData("development.toml", "port = [1]", "config/development.toml: \"port\" is neither a text nor a number nor true or false")]
    [InlineData("development.toml", "port = 1\nport = 2", "setting port is given twice in config/development.toml")]
    public void A_bad_file_is_told(string name, string text, string expected)
    {
        File(name, text);
        Assert.Equal(expected, Refuse());
    }

    [Fact]
    public void Two_files_are_one_too_many()
    {
        File("development.json", "{}");
        File("development.toml", "");
        Assert.Equal("config/development.json and config/development.toml both exist; keep one of them", Refuse());
    }

    [Theory]
    [InlineData("stats", "stats:8125")]
    [InlineData("stats:1", "stats:1")]
    [InlineData("10.0.0.1:99", "10.0.0.1:99")]
    [InlineData("::1", "[::1]:8125")]
    [InlineData("[2001:db8::1]:9", "[2001:db8::1]:9")]
    [InlineData("", null)]
    public void Statsd_hosts(string given, string? expected) => Assert.Equal(expected, Accept($"--statsd_host={given}").StatsdHost?.ToString());

    [Theory]
    [InlineData("0.0.0.0", "::")]
    [InlineData("::", "::")]
    [InlineData("[::1]", "::1")]
    [InlineData("LOCALHOST", "127.0.0.1", "::1")]
    [InlineData("192.0.2.1", "192.0.2.1")]
    public void Addresses_to_bind(string hostname, params string[] expected)
    {
        Assert.SkipUnless(System.Net.Sockets.Socket.OSSupportsIPv6, "This system has no IPv6.");
        Assert.Equal(expected.Select(IPAddress.Parse), Accept($"--hostname={hostname}").ListenAddresses());
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("-h")]
    [InlineData("--port=1", "--help", "--nonsense")]
    public void Help_tells_every_setting(params string[] args)
    {
        _environment["PAIR_NONSENSE"] = "1";
        SettingsLoad load = Load(args);
        Assert.Null(load.Settings);
        StringWriter output = new(), error = new();
        Assert.Equal(0, load.Report(output, error));
        Assert.Equal("", error.ToString());
        foreach (SettingDefinition definition in SettingDefinition.All)
        {
            Assert.Contains($"  --{definition.Name}={definition.Default}", load.Text, StringComparison.Ordinal);
            Assert.Contains(definition.Meaning, load.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Version_is_that_of_the_build() =>
        Assert.Matches(@"^channelserver \d+\.\d+\.\d+( \([0-9a-f]{40}\))?$", Load("--version").Text);

    [Fact]
    public void An_error_goes_to_standard_error()
    {
        StringWriter output = new(), error = new();
        Assert.Equal(2, Load("--port=x").Report(output, error));
        Assert.Equal("", output.ToString());
        Assert.Single(error.ToString().TrimEnd().Split('\n'));
    }

    [Fact]
    public void Operations_documents_every_setting_with_its_default()
    {
        string text = System.IO.File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations.md"));
        foreach (SettingDefinition definition in SettingDefinition.All)
        {
            string value = definition.Default.Length == 0 ? "empty" : $"`{definition.Default}`";
            string row = $"| `{definition.Name}` | `{definition.Variable}` | {value} | {definition.Unit} | {definition.Accepts} | {definition.Meaning} |";
            Assert.Contains(row.Replace("  ", " ", StringComparison.Ordinal), text, StringComparison.Ordinal);
        }
    }
}
