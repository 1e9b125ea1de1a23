using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>What the server leans on breaks: the database, the statistics, the clock.</summary>
public sealed class SurroundingsTests
{
    private static readonly string _database = Path.Combine(Repository.Root, "tests/data/geo/Test-City.mmdb");

    [Fact]
    public async Task A_torn_or_missing_database_stops_the_start_with_one_line()
    {
        string folder = Directory.CreateTempSubdirectory("mmdb").FullName;
        byte[] whole = await File.ReadAllBytesAsync(_database);
        byte[] noise = new byte[5000];
        new Random(1).NextBytes(noise);
        List<byte[]> broken = [noise, []];
        int cuts = Effort.Of(4, 100);
        for (int i = 1; i <= cuts; i++)
            broken.Add(whole[..(whole.Length * i / (cuts + 1))]);
        try
        {
            foreach (byte[] bytes in broken)
            {
                string path = Path.Combine(folder, "City.mmdb");
                await File.WriteAllBytesAsync(path, bytes);
                await ExpectNoStartAsync(path);
            }
            await ExpectNoStartAsync(Path.Combine(folder, "missing.mmdb"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        Figures.Add($"a database cut at {cuts} points, of noise, empty, missing", $"exit status 1 and one line each");
    }

    [Fact]
    public async Task A_database_torn_replaced_or_deleted_while_it_serves_is_not_noticed()
    {
        string folder = Directory.CreateTempSubdirectory("mmdb").FullName;
        string path = Path.Combine(folder, "City.mmdb");
        byte[] whole = await File.ReadAllBytesAsync(_database);
        await File.WriteAllBytesAsync(path, whole);
        try
        {
            await using Trial trial = await Trial.StartAsync($"--mmdb_loc={path}", "--trusted_proxy_list=127.0.0.0/8");
            string[] senders = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => ReadSenderAsync(trial)));
            Assert.Contains("country", senders[0], StringComparison.Ordinal);
            for (int i = 0; i < 100; i++)
            {
                if (i % 4 == 0)
                    File.Delete(path);
                else
                    await File.WriteAllBytesAsync(path, i % 4 == 1 ? whole[..(whole.Length * i / 100)] : i % 4 == 2 ? new byte[i] : whole);
                Assert.Equal(senders[0], await ReadSenderAsync(trial));
            }
            await trial.ConcludeAsync();
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
        Figures.Add("a database torn, replaced and deleted 100 times while serving", $"the same answer each time");
    }

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
        await using Trial trial = await Trial.StartAsync(new TrialOptions { HasStatsd = false, Settings = [$"--statsd_host={host}"] });
        List<TimeSpan> latencies = [];
        for (int i = 0; i < Effort.Of(200, 2000); i++)
        {
            long start = Stopwatch.GetTimestamp();
            await using ChannelClient first = await trial.OpenAsync();
            await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
            await first.SendTextAsync("x");
            await second.ExpectMessagesAsync("x");
            latencies.Add(Stopwatch.GetElapsedTime(start));
            first.Connection.Reset();
            second.Connection.Reset();
        }
        Latencies pairings = new(latencies);
        // A name server is waited for seconds, and a full socket for ever.
        Assert.True(pairings.At(0.99) < TimeSpan.FromSeconds(2), pairings.ToString());
        await trial.ConcludeAsync();
        Figures.Add($"statistics to {(target.Length > 0 ? target : "one who never reads")}", $"pairing p50 {pairings.At(0.5).TotalMilliseconds:0.0} ms, p99 {pairings.At(0.99).TotalMilliseconds:0.0} ms");
    }

    /// <summary>The wall clock jumps an hour ahead and two back: what is measured in time passed does not notice.</summary>
    [Fact]
    public async Task A_jump_of_the_clock_ends_nothing_early_or_late()
    {
        string library = $"/usr/lib/{(RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "aarch64" : "x86_64")}-linux-gnu/faketime/libfaketimeMT.so.1";
        Effort.Require(File.Exists(library), "faketime is not installed");
        string clock = Path.GetTempFileName();
        await File.WriteAllTextAsync(clock, "+0");
        try
        {
            await using Trial trial = await Trial.StartAsync(new TrialOptions
            {
                Settings = ["--heartbeat=1", "--client_timeout=5"],
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
                Task<byte[]> reading = silent.Connection.ReadToEndAsync(TimeSpan.FromSeconds(30));
                while (!reading.IsCompleted)
                {
                    await alive.ExpectNothingAsync();
                    await Task.WhenAny(reading, Task.Delay(500));
                }
                Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 3.5, 12);
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

    private static async Task ExpectNoStartAsync(string database)
    {
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync([$"--mmdb_loc={database}", $"--port={ServerProcess.FreePort()}", "--hostname=127.0.0.1"]);
        Assert.True(outcome.Status == 1, outcome.ToString());
        Assert.Single(outcome.Errors.Trim().Split('\n'));
        Assert.DoesNotContain("Exception", outcome.Output + outcome.Errors, StringComparison.Ordinal);
    }

    private static async Task<string> ReadSenderAsync(Trial trial)
    {
        await using ChannelClient first = await trial.UpgradeAsync("/v1/ws/", headers: "X-Forwarded-For: 192.0.2.1");
        await first.ReadGreetingAsync();
        await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
        await first.SendTextAsync("x");
        return await second.ReadSenderAsync();
    }
}
