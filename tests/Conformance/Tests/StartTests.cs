using System.Globalization;
using System.Net;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>The command line: what starts a server, and how one that cannot start says so.</summary>
public sealed class StartTests(Servers servers)
{
    [Fact]
    public async Task A_port_in_use_is_told_in_one_line_with_status_1()
    {
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        string port = ((IPEndPoint)taken.LocalEndPoint!).Port.ToString(CultureInfo.InvariantCulture);
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync(["--hostname=127.0.0.1", $"--port={port}"]);
        AssertRefusal(1, outcome, port);
    }

    [Fact]
    public async Task An_address_that_is_not_this_machines_is_told_in_one_line_with_status_1()
    {
        string port = ServerProcess.FreePort().ToString(CultureInfo.InvariantCulture);
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync(["--hostname=203.0.113.1", $"--port={port}"]);
        AssertRefusal(1, outcome, "203.0.113.1");
    }

    [Theory]
    [InlineData("--prot=8000", "prot", "port")]
    [InlineData("--max_exchange=10", "max_exchange", "max_exchanges")]
    [InlineData("--port=http", "port", "http")]
    [InlineData("--port=99999", "port", "99999")]
    [InlineData("--max_exchanges=-1", "max_exchanges", "-1")]
    [InlineData("--max_channel_connections=0", "max_channel_connections", "0")]
    [InlineData("--conn_lifespan=soon", "conn_lifespan", "soon")]
    [InlineData("--trusted_proxy_list=10.0.0.0/33", "trusted_proxy_list", "10.0.0.0/33")]
    [InlineData("--human_logs=perhaps", "human_logs", "perhaps")]
    public async Task A_bad_argument_is_told_in_one_line_with_status_2(string argument, string named, string alsoNamed)
    {
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync([argument]);
        AssertRefusal(2, outcome, named);
        Assert.Contains(alsoNamed, outcome.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PAIR_PROT", "8000", "PORT")]
    [InlineData("PAIR_PORT", "http", "http")]
    [InlineData("pair_max_data", "much", "much")]
    public async Task A_bad_environment_variable_is_told_in_one_line_with_status_2(string name, string value, string named)
    {
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync([], (name, value));
        AssertRefusal(2, outcome, named, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_database_that_the_user_named_must_be_there()
    {
        string port = ServerProcess.FreePort().ToString(CultureInfo.InvariantCulture);
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync([$"--port={port}", "--mmdb_loc=/nowhere/City.mmdb"]);
        Assert.NotEqual(0, outcome.Status);
        AssertRefusal(outcome.Status, outcome, "/nowhere/City.mmdb");
    }

    [Fact]
    public async Task Help_names_every_setting()
    {
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync(["--help"]);
        Assert.Equal(0, outcome.Status);
        Assert.All(
            [
                "hostname", "port", "max_channel_connections", "conn_lifespan", "client_timeout", "heartbeat", "max_exchanges", "max_data",
                "max_message", "debug", "verbose", "mmdb_loc", "statsd_host", "metric_name", "trusted_proxy_list", "ip_reputation_server",
                "iprep_min", "ip_violation", "human_logs", "default_lang",
            ],
            setting => Assert.Contains(setting, outcome.Output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Version_is_one_line()
    {
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync(["--version"]);
        Assert.Equal(0, outcome.Status);
        Assert.Single(outcome.Output.Trim().Split('\n'));
        Assert.Matches(@"\d+\.\d+\.\d+", outcome.Output);
    }

    [Fact]
    public async Task It_listens_on_IPv6_and_IPv4_together()
    {
        ServerUnderTest server = await servers.WithAsync("--hostname=::");
        if (!Socket.OSSupportsIPv6)
            Assert.Skip("This machine has no IPv6.");
        ServerUnderTest overIPv6 = server with { Address = new IPEndPoint(IPAddress.IPv6Loopback, server.Address.Port) };
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(overIPv6, first.ChannelId);
        await second.SendTextAsync("over IPv6");
        Assert.Equal("{\"remote\":\"::1\"}", await first.ReadSenderAsync());
        await first.SendTextAsync("over IPv4");
        Assert.Equal("{\"remote\":\"127.0.0.1\"}", await second.ReadSenderAsync());
    }

    private static void AssertRefusal(
        int status, ServerProcess.Outcome outcome, string named, StringComparison comparison = StringComparison.Ordinal)
    {
        Assert.True(outcome.Status == status, outcome.ToString());
        string line = Assert.Single(outcome.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(named, line, comparison);
    }
}
