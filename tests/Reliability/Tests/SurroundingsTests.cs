using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>What the server leans on breaks: the statistics, the clock.</summary>
public sealed class SurroundingsTests
{
    private const int Rounds = 9;

    /// <summary>A port that nobody has, a server that never reads, a name that does not resolve.</summary>
    [Theory]
    [InlineData("127.0.0.1:1")]
    [InlineData("")]
    [InlineData("no-such-host.invalid:8125")]
    public async Task Statistics_that_nobody_takes_delay_nothing(string target)
    {
        using Socket blackHole = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        blackHole.ReceiveBufferSize = 2048;
        blackHole.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        string host = target.Length > 0 ? target : blackHole.LocalEndPoint!.ToString()!;
        await using Trial trial = await Trial.StartAsync(new TrialOptions { HasStatsd = false, IsCalm = true, Settings = [$"--statsd_host={host}"] });
        // Two: no two processes cost exactly the same.
        await using Trial one = await Trial.StartAsync(new TrialOptions { IsCalm = true });
        await using Trial other = await Trial.StartAsync(new TrialOptions { IsCalm = true });
        Trial[] trials = [trial, one, other];
        int pairings = Effort.Of(150, 1000);
        // What a server does for a pairing, and not how long it takes, which tells of other programs on the machine. The first times compile code.
        await MeasureAsync(pairings, trials);
        List<double> untaken = [], ratios = [];
        List<TimeSpan> latencies = [];
        for (int round = 0; round < Rounds; round++)
        {
            TimeSpan[] before = [.. trials.Select(each => ProcessStatus.FineCpu(each.Process.Id))];
            Latencies[] measured = await MeasureAsync(pairings, trials);
            double[] costs = [.. trials.Select((each, i) => (ProcessStatus.FineCpu(each.Process.Id) - before[i]).TotalMicroseconds / pairings)];
            untaken.Add(costs[0]);
            // Within a round: from one to the next, all of them were seen to change together by a third, and their ratio by a fiftieth.
            ratios.Add(costs[0] / ((costs[1] + costs[2]) / 2));
            // A name server is waited for seconds, and a full socket for ever. What the machine is busy with delays all three.
            TimeSpan slowest = measured.Skip(1).Max(static each => each.At(0.99));
            Assert.True(measured[0].At(0.99) < slowest + TimeSpan.FromSeconds(2), $"{measured[0]}; the others' slowest {slowest}");
            latencies.Add(measured[0].At(0.99));
        }
        double ratio = Median(ratios);
        string told = string.Create(CultureInfo.InvariantCulture, $"{Median(untaken):0} us of CPU for a pairing, {ratio:0.00} times as much as where they are taken");
        Figures.Add($"statistics to {(target.Length > 0 ? target : "one who never reads")}", $"{told}; p99 {Median(latencies).TotalMilliseconds:0.00} ms");
        Assert.True(ratio <= (Effort.IsFull ? 1.05 : 1.25), told);
        foreach (Trial each in trials)
            await each.ConcludeAsync();
    }

    private static T Median<T>(List<T> values) => values.Order().ElementAt(values.Count / 2);

    /// <summary>Pairs with each of some servers in turn, and tells how long it took with each.</summary>
    private static async Task<Latencies[]> MeasureAsync(int count, params Trial[] trials)
    {
        List<TimeSpan>[] latencies = [.. trials.Select(_ => new List<TimeSpan>())];
        for (int i = 0; i < count * trials.Length; i++)
        {
            Trial trial = trials[i % trials.Length];
            long start = Stopwatch.GetTimestamp();
            await using ChannelClient first = await trial.OpenAsync();
            await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
            await first.SendTextAsync("x");
            await second.ExpectMessagesAsync("x");
            latencies[i % trials.Length].Add(Stopwatch.GetElapsedTime(start));
            // Or the seats would be held, and end one by one when the server is to be at rest.
            await first.LeaveAsync();
            await second.LeaveAsync();
            first.Connection.Reset();
            second.Connection.Reset();
        }
        return [.. latencies.Select(each => new Latencies(each))];
    }

    /// <summary>The wall clock jumps an hour ahead and two back: what is measured in time passed does not notice.</summary>
    [Fact]
    public async Task A_jump_of_the_clock_ends_nothing_early_or_late()
    {
        string library = $"/usr/lib/{(RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "aarch64" : "x86_64")}-linux-gnu/faketime/libfaketimeMT.so.1";
        Effort.Require(File.Exists(library), "faketime is not installed");
        // On a busy machine those who are alive answer late, and the server, if it was late itself, waits once more.
        int timeout = Effort.Of(10, 5);
        string clock = Path.GetTempFileName();
        await File.WriteAllTextAsync(clock, "+0");
        try
        {
            await using Trial trial = await Trial.StartAsync(new TrialOptions
            {
                IsCalm = true,
                Settings = ["--heartbeat=1", $"--client_timeout={timeout}"],
                Environment =
                [
                    ("LD_PRELOAD", library), ("FAKETIME_TIMESTAMP_FILE", clock), ("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
                    ("DONT_FAKE_MONOTONIC", "1"),
                ],
                // Under this library the runtime's own timers poll, from the start.
                ExpectsRest = false,
            });
            foreach (string offset in (string[])["+3600", "-3600", "+0"])
            {
                await using ChannelClient alive = await trial.OpenAsync();
                await using ChannelClient silent = await trial.OpenAsync();
                long start = Stopwatch.GetTimestamp();
                await File.WriteAllTextAsync(clock, offset);
                Task<byte[]> reading = silent.Connection.ReadToEndAsync(TimeSpan.FromSeconds(60));
                while (!reading.IsCompleted)
                {
                    await alive.ExpectNothingAsync();
                    await Task.WhenAny(reading, Task.Delay(500));
                }
                Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, timeout - (Effort.IsFull ? 0.5 : 1.5), Effort.IsFull ? 7.5 : 40);
                Assert.EndsWith(Convert.ToHexStringLower(Golden.Octets("close-4408")), Convert.ToHexStringLower(await reading), StringComparison.Ordinal);
                await alive.LeaveAsync();
            }
            await trial.ConcludeAsync();
            // The jump was real: the log is dated by it.
            long[] dates = [.. trial.Process.Log.Lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("Timestamp").GetInt64() / 1_000_000_000)];
            Assert.True(dates.Max() - dates.Min() > 7000, "The clock did not jump.");
            Figures.Add("wall clock +1 h, then -1 h", $"timeouts on time");
        }
        finally
        {
            File.Delete(clock);
        }
    }
}
