using System.Diagnostics;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Who comes in: limits of an address, the server's cap, origins; and that a refusal is told in the right way.</summary>
public sealed class AdmissionTests(Servers servers)
{
    // Few enough to reach. Each is what a minute refills: twenty are one every three seconds, which a test that takes longer reckons with.
    private const string Limits = "--trusted_proxy_list=127.0.0.1 --limit_opens=20 --limit_joins=40 --limit_failed_joins=5 --limit_connections=60";

    [Fact]
    public async Task Of_opens_that_rotate_inside_a_64_the_burst_passes_and_the_neighbour_is_not_affected()
    {
        ServerUnderTest server = await servers.WithAsync(Limits);
        Stopwatch taken = Stopwatch.StartNew();
        HttpResponse[] answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => AskAsync(server, $"2001:db8:a:1::{i:x}")));

        AssertPassed(20, taken.Elapsed, answers);
        HttpResponse[] refused = [.. answers.Where(answer => answer.Status != 101)];
        Assert.All(refused, static answer => answer.AssertTryLater());
        Assert.All(refused, answer => Assert.Equal(429, answer.Status));
        Assert.True(refused.Select(answer => answer["Retry-After"]).Distinct().Count() > 1, "Those refused together come back together.");
        Assert.Equal(101, (await AskAsync(server, "2001:db8:a:2::1")).Status);
    }

    [Fact]
    public async Task A_48_may_do_eight_times_as_much()
    {
        ServerUnderTest server = await servers.WithAsync(Limits);
        Stopwatch taken = Stopwatch.StartNew();
        HttpResponse[] answers = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => AskAsync(server, $"2001:db8:b:{i:x}::1")));
        AssertPassed(160, taken.Elapsed, answers);
        Assert.Equal(101, (await AskAsync(server, "2001:db8:c:1::1")).Status);
    }

    [Fact]
    public async Task An_upgrade_on_a_connection_that_was_used_before_is_limited_alike()
    {
        ServerUnderTest server = await servers.WithAsync(Limits);
        Stopwatch taken = Stopwatch.StartNew();
        List<HttpResponse> answers = [];
        for (int i = 0; i < 30; i++)
            answers.Add(await AskLateAsync(server, "X-Forwarded-For: 203.0.113.20"));
        AssertPassed(20, taken.Elapsed, answers);
        HttpResponse[] refused = [.. answers.Where(answer => answer.Status != 101)];
        Assert.NotEmpty(refused);
        Assert.All(refused, static answer => Assert.Equal(429, answer.Status));
        Assert.All(refused, static answer => answer.AssertTryLater());
    }

    [Fact]
    public async Task Failed_joins_bar_joining_and_not_opening()
    {
        ServerUnderTest server = await servers.WithAsync(Limits);
        const string Header = "X-Forwarded-For: 203.0.113.30";
        for (int i = 0; i < 5; i++)
        {
            await using ChannelClient guess = await ChannelClient.UpgradeAsync(server, "/v1/ws/AAAAAAAAAAAAAAAAAAAAAA", headers: [Header]);
            await guess.ExpectCloseAsync("close-4404");
        }
        Assert.Equal(429, (await AskAsync(server, "203.0.113.30", "/v1/ws/AAAAAAAAAAAAAAAAAAAAAA")).Status);
        Assert.Equal(101, (await AskAsync(server, "203.0.113.30")).Status);
    }

    [Fact]
    public async Task A_place_is_free_again_when_its_connection_is_gone()
    {
        ServerUnderTest server = await servers.WithAsync("--trusted_proxy_list=127.0.0.1 --limit_connections=3 --limit_opens=0");
        for (int round = 0; round < 5; round++)
        {
            List<ChannelClient> clients = [];
            for (int i = 0; i < 3; i++)
                clients.Add(await EventuallyAsync(server, "X-Forwarded-For: 203.0.113.40"));
            Assert.Equal(429, (await AskAsync(server, "203.0.113.40")).Status);
            await clients[0].LeaveAsync();
            clients[1].Connection.Reset();
            foreach (ChannelClient client in clients)
                await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_peer_that_is_not_declared_a_proxy_is_not_limited_on_loopback_and_the_log_warns_once()
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--limit_opens=5");
        await using ServerProcess process = server.Process!;
        for (int i = 0; i < 50; i++)
            Assert.Equal(101, (await AskAsync(server, $"203.0.113.{i}")).Status);
        ServerProcess.Outcome outcome = await process.StopAsync();
        Assert.Equal(2, outcome.Output.Split("ClientsBehindProxy").Length);
    }

    [Fact]
    public async Task A_trusted_proxy_that_names_nobody_is_not_limited_and_the_log_warns_once()
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--limit_opens=5", "--trusted_proxy_list=127.0.0.1");
        await using ServerProcess process = server.Process!;
        for (int i = 0; i < 50; i++)
            Assert.Equal(101, (await AskAsync(server, null)).Status);
        ServerProcess.Outcome outcome = await process.StopAsync();
        Assert.Equal(2, outcome.Output.Split("ClientsUnknown").Length);
    }

    [Fact]
    public async Task Log_mode_refuses_nobody()
    {
        ServerUnderTest server = await servers.WithAsync(Limits + " --limit_mode=log");
        for (int i = 0; i < 50; i++)
            Assert.Equal(101, (await AskAsync(server, "203.0.113.50")).Status);
    }

    [Fact]
    public async Task A_full_server_refuses_and_answers_health_checks_and_takes_again()
    {
        ServerUnderTest server = await servers.WithAsync("--max_connections=10");
        List<ChannelClient> clients = [];
        for (int i = 0; i < 10; i++)
            clients.Add(await ChannelClient.OpenAsync(server));
        foreach (HttpResponse refused in (HttpResponse[])[await AskAsync(server, null), await AskAsync(server, null, $"/v1/ws/{clients[0].ChannelId}"), await AskLateAsync(server)])
        {
            Assert.Equal(503, refused.Status);
            refused.AssertTryLater();
        }
        Assert.Equal(200, (await GetAsync(server, "/__lbheartbeat__")).Status);
        Assert.Equal(200, (await GetAsync(server, "/__version__")).Status);
        HttpResponse health = await GetAsync(server, "/__heartbeat__");
        Assert.Equal(200, health.Status);
        Assert.Contains("\"connections\":\"warning\"", health.Body, StringComparison.Ordinal);
        foreach (ChannelClient client in clients)
            await client.DisposeAsync();
        await using ChannelClient again = await EventuallyAsync(server);
    }

    [Fact]
    public async Task Neither_upgrades_nor_silent_connections_use_up_the_descriptors()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "prlimit is Linux'.");
        ServerUnderTest server = await ServerProcess.StartWithDescriptorsAsync(512);
        await using ServerProcess process = server.Process!;
        List<RawConnection> flood = [];
        Dictionary<int, int> statuses = [];
        // None of them closes, whatever it was told.
        for (int i = 0; i < 1500; i++)
        {
            RawConnection connection = await RawConnection.ConnectAsync(server.Address);
            flood.Add(connection);
            await connection.SendAsync(new UpgradeRequest().ToBytes());
            HttpResponse answer = await connection.ReadResponseAsync();
            int status = answer.Status;
            if (status == 503)
                answer.AssertTryLater();
            statuses[status] = statuses.GetValueOrDefault(status) + 1;
        }
        Assert.Equal([101, 503], statuses.Keys.Order());
        Assert.InRange(statuses[101], 200, 512 * 8 / 10);
        Assert.Equal(200, (await GetAsync(server, "/__lbheartbeat__")).Status);
        for (int i = 0; i < 500; i++)
            flood.Add(await RawConnection.ConnectAsync(server.Address));
        Assert.Equal(200, (await GetAsync(server, "/__heartbeat__")).Status);
        foreach (RawConnection connection in flood)
            await connection.DisposeAsync();
        await using ChannelClient again = await EventuallyAsync(server);
    }

    [Theory]
    [InlineData("https://good.example", 101)]
    [InlineData("https://evil.example", 403)]
    [InlineData("null", 403)]
    [InlineData(null, 101)]
    public async Task With_a_list_of_origins_only_those_come_in(string? origin, int status)
    {
        ServerUnderTest server = await servers.WithAsync("--allowed_origins=https://good.example,https://fine.example:8443");
        string[] headers = origin is null ? [] : [$"Origin: {origin}"];
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(new UpgradeRequest().With(headers).ToBytes());
        Assert.Equal(status, (await connection.ReadResponseAsync()).Status);
        Assert.Equal(status, (await AskLateAsync(server, headers)).Status);
    }

    /// <summary>That a burst passed, and beside it no more than is refilled in the time that asking took: in a minute as much as the burst.</summary>
    private static void AssertPassed(int burst, TimeSpan taken, IEnumerable<HttpResponse> answers) =>
        Assert.InRange(answers.Count(answer => answer.Status == 101), burst, burst + 1 + (burst * taken.TotalMinutes));

    private static async Task<HttpResponse> AskAsync(ServerUnderTest server, string? client, string target = "/v1/ws/")
    {
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(new UpgradeRequest(target).With(client is null ? [] : [$"X-Forwarded-For: {client}"]).ToBytes());
        return await connection.ReadResponseAsync();
    }

    /// <summary>An upgrade behind another request on the same connection.</summary>
    private static async Task<HttpResponse> AskLateAsync(ServerUnderTest server, params string[] headers)
    {
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n\r\n");
        Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
        await connection.SendAsync(new UpgradeRequest().With(headers).ToBytes());
        return await connection.ReadResponseAsync();
    }

    private static async Task<HttpResponse> GetAsync(ServerUnderTest server, string path)
    {
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync($"GET {path} HTTP/1.1\r\nHost: channel.example\r\n\r\n");
        return await connection.ReadResponseAsync();
    }

    /// <summary>Opens as soon as the server has seen that earlier connections are gone.</summary>
    private static async Task<ChannelClient> EventuallyAsync(ServerUnderTest server, params string[] headers)
    {
        for (int tries = 0; ; tries++)
        {
            RawConnection connection = await RawConnection.ConnectAsync(server.Address);
            await connection.SendAsync(new UpgradeRequest().With(headers).ToBytes());
            HttpResponse answer = await connection.ReadResponseAsync();
            if (answer.Status == 101)
                return await ChannelClient.GreetedAsync(connection);
            await connection.DisposeAsync();
            Assert.True(tries < 500, $"Still {answer.Status}.");
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }
}
