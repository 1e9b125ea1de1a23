using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>A bug of ours, met again and again: the server of tests/Probe fails when it describes a sender to one who takes any language.</summary>
public sealed class OwnFaultTests
{
    [Fact]
    public async Task A_fault_while_a_message_is_relayed_ends_that_channel_and_no_other()
    {
        int faults = Effort.Of(100, 2000), met = 0;
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            HasBug = true,
            Settings = ["--localize_for=receiver", "--trusted_proxy_list=127.0.0.1", "--mmdb_loc=", "--limit_mode=off"],
            Environment = [("CHANNEL_SERVER_DATABASE", Path.Combine(Repository.Root, "tests/data/geo/Test-City.mmdb"))],
            ExpectedErrors = ["ChannelFailed"],
            IsCalm = true,
            First = warm => warm.CompileAsync(() => FailAsync(warm, 50)),
        });
        await using ChannelClient bystander = await trial.OpenAsync();
        await using ChannelClient friend = await trial.JoinAsync(bystander.ChannelId);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => FailAsync(trial, faults / 4)));
        await bystander.SendTextAsync("still here");
        await friend.ExpectMessagesAsync("still here");
        await bystander.LeaveAsync();
        await friend.LeaveAsync();
        Latencies latencies = await trial.ConcludeAsync();
        Assert.Equal(2 * met, trial.Statsd.EndedBy("internal_error"));
        Assert.Contains(trial.Process.Log.Lines, line => line.Contains("\"event\":\"ChannelFailed\"", StringComparison.Ordinal));
        Figures.Add($"{faults:N0} faults in the midst of relaying", $"1011 for their channels alone, canary {latencies}");

        async Task FailAsync(Trial trial, int times)
        {
            Interlocked.Add(ref met, times);
            for (int i = 0; i < times; i++)
                await FailOnceAsync(trial);
        }
    }

    private static async Task FailOnceAsync(Trial trial)
    {
        await using ChannelClient sender = await trial.UpgradeAsync("/v1/ws/", null, null, "X-Forwarded-For: 192.0.2.1", "Accept-Language: de");
        await sender.ReadGreetingAsync();
        await using ChannelClient receiver = await trial.UpgradeAsync($"/v1/ws/{sender.ChannelId}", null, null, "X-Forwarded-For: 8.8.8.8", "Accept-Language: *");
        await receiver.ReadGreetingAsync();
        await sender.SendTextAsync("x");
        await receiver.ExpectCloseAsync("close-1011");
        await sender.ExpectCloseAsync("close-1011");
    }
}
