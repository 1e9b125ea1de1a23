using System.Diagnostics;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>One who does not read is not waited for, and what waits for it is bounded.</summary>
public sealed class SlowReaderTests
{
    private const int Channels = 20;

    /// <param name="messages">Of 60,000 octets each: so few that the last write is stuck, or so many that the queue is full.</param>
    [Theory]
    [InlineData(5)]
    [InlineData(30)]
    public async Task A_slow_reader_costs_its_peers_nothing_and_the_server_little(int messages)
    {
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            // As much as the heap grows between two collections, which else is by the caches of the processor: 16 MB, in hexadecimal.
            Environment = [("DOTNET_GCgen0size", "1000000")],
            // What the server compiles for large messages does not count.
            First = static warm => warm.CompileAsync(() => TalkAsync(warm, 20)),
        });
        ProcessStatus.ResetPeak(trial.Process.Id);
        TimeSpan[] gone = await Task.WhenAll(Enumerable.Range(0, Channels).Select(channel => StallAsync(trial, messages)));
        long growth = ProcessStatus.PeakKilobytes(trial.Process.Id) - trial.ResidentBefore;
        // 20 channels times 256 KiB of queue and one message, twice for the doubling of buffers.
        Assert.True(growth < 40 * 1024, $"{growth} kB more than before.");
        Latencies latencies = await trial.ConcludeAsync();
        Assert.Equal(Channels, trial.Statsd.EndedBy("slow_consumer"));
        Figures.Add($"20 slow readers, {messages} messages of 60 kB for each", $"gone within {gone.Max().TotalSeconds:0.0} s, peak {growth / 1024.0:0.0} MB over the start, canary {latencies}");
    }

    /// <returns>How long after the last message the slow one's seat was free.</returns>
    private static async Task<TimeSpan> StallAsync(Trial trial, int messages)
    {
        await using ChannelClient sender = await trial.OpenAsync();
        await using ChannelClient reader = await trial.JoinAsync(sender.ChannelId);
        await using ChannelClient slow = await trial.UpgradeAsync($"/v1/ws/{sender.ChannelId}", receiveBuffer: 4096);
        await slow.ReadGreetingAsync();
        await RelayAsync(sender, reader, messages);
        Stopwatch waited = Stopwatch.StartNew();
        // As soon as it is gone there is a seat for another.
        while (!await JoinsAsync(trial, sender.ChannelId))
        {
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(Effort.IsFull ? 6 : 12), $"The slow reader keeps its seat. {trial.Statsd}");
            await Task.Delay(100);
        }
        TimeSpan gone = waited.Elapsed;
        await sender.LeaveAsync();
        await reader.LeaveAsync();
        return gone;
    }

    /// <summary>A pair without anybody slow.</summary>
    private static async Task TalkAsync(Trial trial, int messages)
    {
        await using ChannelClient sender = await trial.OpenAsync();
        await using ChannelClient reader = await trial.JoinAsync(sender.ChannelId);
        await RelayAsync(sender, reader, messages);
        await sender.LeaveAsync();
        await reader.LeaveAsync();
    }

    private static async Task RelayAsync(ChannelClient sender, ChannelClient reader, int messages)
    {
        string body = new('x', 60_000);
        for (int i = 0; i < messages; i++)
        {
            await sender.SendTextAsync($"{i} {body}");
            await reader.ExpectMessagesAsync($"{i} {body}");
        }
    }

    private static async Task<bool> JoinsAsync(Trial trial, string channel)
    {
        await using ChannelClient newcomer = await trial.UpgradeAsync($"/v1/ws/{channel}");
        if ((await newcomer.ReadFrameAsync()).FirstOctet != Frame.Text)
            return false;
        await newcomer.LeaveAsync();
        return true;
    }
}
