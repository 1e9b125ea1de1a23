using System.Net.Sockets;
using System.Text;

namespace ChannelServer.Tests.Reputation;

/// <summary>The whole server in this process, on either engine, beside a reputation service.</summary>
public sealed class ReputationEndToEndTests
{
    public static TheoryData<Engine> Engines => RunningServer.Engines;

    public static TheoryData<Engine, string> Abuses
    {
        get
        {
            TheoryData<Engine, string> abuses = [];
            foreach (string abuse in (string[])["max_exchanges", "max_data", "pings", "fragments", "an unmasked frame"])
            {
                abuses.Add(Engine.Kestrel, abuse);
                if (OperatingSystem.IsLinux())
                    abuses.Add(Engine.Epoll, abuse);
            }
            return abuses;
        }
    }

    private static Task<RunningServer> StartAsync(Engine engine, ReputationServer reputation, Func<Settings, Settings>? change = null)
    {
        Settings settings = RunningServer.Plain(engine) with
        {
            Shards = 2,
            IpReputationServer = reputation.Address.ToString(),
            IprepMin = 50,
            IprepTimeout = TimeSpan.FromSeconds(60),
        };
        return RunningServer.StartAsync(change?.Invoke(settings) ?? settings);
    }

    private static async Task<(string Status, TcpClient Connection)> UpgradeAsync(RunningServer server, string client, bool late = false, string channel = "")
    {
        TcpClient connection = await server.ConnectAsync();
        NetworkStream stream = connection.GetStream();
        byte[] buffer = new byte[4096];
        if (late)
        {
            await stream.WriteAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray());
            Assert.True(await stream.ReadAsync(buffer) > 0);
        }
        await stream.WriteAsync(RunningServer.Upgrade(channel, $"X-Forwarded-For: {client}"));
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        int read = await stream.ReadAsync(buffer, patience.Token);
        return (Encoding.ASCII.GetString(buffer, 0, read).Split(' ')[1], connection);
    }

    /// <summary>Masked with zeros, but for what is not masked at all.</summary>
    private static byte[] BytesOf(string abuse)
    {
        byte[] message = [0x81, 0x81, 0, 0, 0, 0, (byte)'a'];
        byte[] fragment = [0x00, 0x81, 0, 0, 0, 0, (byte)'a'];
        byte[] ping = [0x89, 0xFD, 0, 0, 0, 0, .. new byte[125]];
        return abuse switch
        {
            "pings" => [.. Enumerable.Repeat(ping, 2500).SelectMany(frame => frame)],
            "fragments" => [0x01, .. fragment[1..], .. Enumerable.Repeat(fragment, 100).SelectMany(frame => frame)],
            "an unmasked frame" => [0x81, 1, (byte)'a'],
            _ => [.. message, .. message],
        };
    }

    private static async Task<string> StatusAsync(RunningServer server, string client, bool late = false)
    {
        (string status, TcpClient connection) = await UpgradeAsync(server, client, late);
        connection.Dispose();
        return status;
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Who_has_a_bad_name_gets_403_however_it_comes(Engine engine)
    {
        await using ReputationServer reputation = await ReputationServer.StartAsync();
        reputation.Answers["198.51.100.1"] = """{"reputation":49}""";
        reputation.Answers["198.51.100.2"] = """{"reputation":50}""";
        reputation.Answers["2001:db8::bad"] = """{"reputation":0}""";
        await using RunningServer server = await StartAsync(engine, reputation);
        Assert.Equal("403", await StatusAsync(server, "198.51.100.1"));
        Assert.Equal("403", await StatusAsync(server, "198.51.100.1"));
        Assert.Equal("403", await StatusAsync(server, "198.51.100.1", late: true));
        Assert.Equal("403", await StatusAsync(server, "2001:db8::bad", late: true));
        Assert.Equal("101", await StatusAsync(server, "198.51.100.2"));
        Assert.Equal("101", await StatusAsync(server, "198.51.100.3", late: true));
        Assert.Equal("101", await StatusAsync(server, "198.51.100.3"));
        Assert.Equal(4, reputation.Lookups);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task While_one_waits_for_an_answer_nobody_else_does(Engine engine)
    {
        await using ReputationServer reputation = await ReputationServer.StartAsync();
        await using RunningServer server = await StartAsync(engine, reputation);
        Assert.Equal("101", await StatusAsync(server, "198.51.100.7"));
        reputation.Hold = new TaskCompletionSource();
        Task<string>[] waiting = [.. Enumerable.Range(0, 20).Select(i => StatusAsync(server, $"198.51.100.{100 + i}"))];
        for (int i = 0; i < 20; i++)
            Assert.Equal("101", await StatusAsync(server, "198.51.100.7"));
        Assert.All(waiting, task => Assert.False(task.IsCompleted));
        reputation.Hold.SetResult();
        Assert.All(await Task.WhenAll(waiting), status => Assert.Equal("101", status));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_service_that_does_not_answer_delays_and_lets_in(Engine engine)
    {
        await using ReputationServer reputation = await ReputationServer.StartAsync();
        reputation.Hold = new TaskCompletionSource();
        await using RunningServer server = await StartAsync(engine, reputation, s => s with { IprepTimeout = TimeSpan.FromMilliseconds(50) });
        Assert.Equal("101", await StatusAsync(server, "198.51.100.1"));
    }

    [Theory]
    [MemberData(nameof(Abuses))]
    public async Task Who_ends_a_channel_by_its_limits_or_floods_is_reported(Engine engine, string abuse)
    {
        await using ReputationServer reputation = await ReputationServer.StartAsync();
        await using RunningServer server = await StartAsync(engine, reputation, s => s with
        {
            IprepMin = 0,
            MaxExchanges = abuse == "max_exchanges" ? 1 : 0,
            MaxData = abuse == "max_data" ? 1 : 0,
        });
        (string status, TcpClient connection) = await UpgradeAsync(server, "198.51.100.1");
        using TcpClient talker = connection;
        Assert.Equal("101", status);
        try
        {
            await talker.GetStream().WriteAsync(BytesOf(abuse), TestContext.Current.CancellationToken);
        }
        catch (IOException)
        {
            // The server has had enough.
        }
        Assert.StartsWith("PUT /violations/type/ip/198.51.100.1 ", await reputation.ViolationAsync(), StringComparison.Ordinal);
        Assert.Equal(0, reputation.Lookups);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Who_tries_ids_again_and_again_is_reported_and_who_mistypes_one_is_not(Engine engine)
    {
        const string Key = "c2VjcmV0IGtleQ";
        await using ReputationServer reputation = await ReputationServer.StartAsync();
        reputation.Key = Key;
        await using RunningServer server = await StartAsync(engine, reputation, s => s with { IprepMin = 0, LimitFailedJoins = 5, IprepKey = Key });
        await GuessAsync("198.51.100.1", 4);
        Assert.Empty(reputation.Violations);
        await GuessAsync("198.51.100.2", 6);
        Assert.StartsWith("PUT /violations/type/ip/198.51.100.2 ", await reputation.ViolationAsync(), StringComparison.Ordinal);
        // Once a minute, and the other not at all.
        await GuessAsync("198.51.100.2", 3);
        Assert.Single(reputation.Violations);
        string log = await server.StopAsync();
        Assert.DoesNotContain("ReputationLost", log, StringComparison.Ordinal);
        Assert.DoesNotContain(Key, log, StringComparison.Ordinal);

        async Task GuessAsync(string client, int times)
        {
            for (int i = 0; i < times; i++)
            {
                (_, TcpClient connection) = await UpgradeAsync(server, client, channel: "AAAAAAAAAAAAAAAAAAAAAA");
                connection.Dispose();
            }
        }
    }
}
