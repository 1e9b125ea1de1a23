using System.Globalization;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>One who has many addresses, and opens a channel from each.</summary>
public sealed class AddressFloodTests
{
    [Fact]
    public async Task Of_opens_that_rotate_inside_a_64_the_burst_passes_and_the_neighbour_is_not_affected()
    {
        const int Limit = 60;
        int opens = Effort.Of(1000, 10_000);
        // Who comes without a name, like the canary, is not limited.
        await using Trial trial = await Trial.StartAsync("--trusted_proxy_list=127.0.0.1", $"--limit_opens={Limit}");
        System.Diagnostics.Stopwatch elapsed = System.Diagnostics.Stopwatch.StartNew();
        int passed = 0, next = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            int i;
            while ((i = Interlocked.Increment(ref next)) <= opens)
            {
                int status = await OpenAsync(trial, string.Create(CultureInfo.InvariantCulture, $"2001:db8:a:1:{i:x}::{i:x}"));
                Assert.True(status is 101 or 429, $"{status}");
                if (status == 101)
                    Interlocked.Increment(ref passed);
                // The neighbour is one customer, with a channel now and then.
                if (i % 200 == 0)
                    Assert.Equal(101, await OpenAsync(trial, "2001:db8:a:2::1"));
            }
        }));
        // The burst, and what the bucket has got since at one a second.
        Assert.InRange(passed, Limit, Limit + (int)elapsed.Elapsed.TotalSeconds + 2);
        Latencies latencies = await trial.ConcludeAsync();
        Figures.Add($"{opens:N0} opens rotating inside one /64, {Limit} a minute allowed", $"{passed} passed, the rest 429, the neighbour always, canary {latencies}");
    }

    /// <summary>With limits off nothing is counted; with log nobody is refused and the log tells.</summary>
    [Theory]
    [InlineData("off", 0)]
    [InlineData("log", 1)]
    public async Task Limits_that_are_not_enforced_refuse_nobody(string mode, int least)
    {
        await using Trial trial = await Trial.StartAsync("--trusted_proxy_list=127.0.0.1", "--limit_opens=5", "--limit_connections=2", $"--limit_mode={mode}");
        for (int i = 0; i < 100; i++)
            Assert.Equal(101, await OpenAsync(trial, "203.0.113.1"));
        await trial.ConcludeAsync();
        int told = trial.Process.Log.Lines.Count(line => line.Contains("LimitNotEnforced", StringComparison.Ordinal));
        Assert.InRange(told, least, least * 100);
    }

    private static async Task<int> OpenAsync(Trial trial, string client)
    {
        RawConnection connection = await trial.ConnectAsync();
        await connection.SendAsync(new UpgradeRequest().With($"X-Forwarded-For: {client}").ToBytes());
        int status = (await connection.ReadResponseAsync()).Status;
        connection.Reset();
        return status;
    }
}
