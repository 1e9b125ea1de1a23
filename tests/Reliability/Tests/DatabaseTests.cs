using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>The location database is torn, missing, replaced: at the start it stops a server that was told its name, later nothing does.</summary>
public sealed class DatabaseTests : IDisposable
{
    private static readonly byte[] _city = File.ReadAllBytes(Path.Combine(Repository.Root, "tests/data/geo/Test-City.mmdb"));
    private static readonly byte[] _country = File.ReadAllBytes(Path.Combine(Repository.Root, "tests/data/geo/Test-Country-IPv4.mmdb"));

    /// <summary>Where 192.0.2.1 is by either of them.</summary>
    private static readonly string[] _places = ["United States", "Bhutan"];

    private readonly string _folder = Directory.CreateTempSubdirectory("mmdb").FullName;

    private string DatabaseFile => Path.Combine(_folder, "City.mmdb");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_torn_or_missing_database_stops_the_start_with_one_line()
    {
        int cuts = Effort.Of(4, 100);
        foreach (byte[] bytes in (IEnumerable<byte[]>)[Noise(5000), [], .. Enumerable.Range(1, cuts).Select(i => Cut(i, cuts + 1))])
        {
            await File.WriteAllBytesAsync(DatabaseFile, bytes);
            await ExpectNoStartAsync(DatabaseFile);
        }
        await ExpectNoStartAsync(Path.Combine(_folder, "missing.mmdb"));
        Figures.Add($"a database cut at {cuts} points, of noise, empty, missing", $"exit status 1 and one line each");
    }

    [Fact]
    public async Task A_database_torn_replaced_or_deleted_under_load_costs_no_client_anything()
    {
        int swaps = Effort.Of(100, 400);
        await File.WriteAllBytesAsync(DatabaseFile, _city);
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Settings = [$"--mmdb_loc={DatabaseFile}", "--mmdb_check=0.02", "--trusted_proxy_list=127.0.0.0/8", "--limit_mode=off", "--log_rate=5"],
            // Compiles what reads databases and reports those that cannot be read.
            First = WarmUpAsync,
        });
        int replaced = CountLog(trial, "LocationReplaced");
        using CancellationTokenSource stop = new();
        Task<int>[] clients = [.. Enumerable.Range(0, 4).Select(_ => AskAsync(trial, stop.Token))];
        int inUse = 0;
        for (int i = 0; i < swaps; i++)
        {
            int told = CountLog(trial, "LocationNotReplaced");
            if (i % 2 == 0)
            {
                Spoil(i / 2, swaps / 2);
                await Effort.UntilAsync(() => CountLog(trial, "LocationNotReplaced") > told, TimeSpan.FromSeconds(20), () => $"Fault {i} was not noticed.");
                Assert.Equal(_places[inUse], await ReadPlaceAsync(trial));
            }
            else
            {
                inUse = 1 - inUse;
                Put(inUse == 0 ? _city : _country, inPlace: i % 3 == 0);
                Stopwatch waited = Stopwatch.StartNew();
                while (await ReadPlaceAsync(trial) != _places[inUse])
                    Assert.True(waited.Elapsed < TimeSpan.FromSeconds(20), "The new database is not taken.");
            }
        }
        await stop.CancelAsync();
        int asked = (await Task.WhenAll(clients)).Sum();
        await Effort.UntilAsync(() => CountLog(trial, "LocationReplaced") >= replaced + (swaps / 2), TimeSpan.FromSeconds(20), () => "A line is missing.");
        Latencies latencies = await trial.ConcludeAsync();
        Assert.Equal(replaced + (swaps / 2), CountLog(trial, "LocationReplaced"));
        Figures.Add($"a database torn, of noise, deleted {swaps / 2} times and replaced {swaps / 2} times under load",
            $"{asked:N0} pairings meanwhile, each with the place of one database or the other, canary {latencies}");
    }

    private async Task WarmUpAsync(Trial trial)
    {
        await trial.CompileAsync(async () =>
        {
            for (int i = 0; i < 100; i++)
                await ReadPlaceAsync(trial);
        });
        foreach (byte[] bytes in (IEnumerable<byte[]>)[Cut(1, 2), Noise(1000), _country, Cut(1, 3), _city])
        {
            int told = Told();
            Put(bytes, inPlace: false);
            await Effort.UntilAsync(() => Told() > told, TimeSpan.FromSeconds(20), () => "A database was not noticed.");
        }

        int Told() => CountLog(trial, "LocationReplaced") + CountLog(trial, "LocationNotReplaced");
    }

    private static int CountLog(Trial trial, string name) =>
        trial.Process.Log.Lines.Count(line => line.Contains($"\"event\":\"{name}\"", StringComparison.Ordinal));

    private static byte[] Noise(int octets)
    {
        byte[] noise = new byte[octets];
        new Random(octets).NextBytes(noise);
        return noise;
    }

    private static byte[] Cut(int part, int parts) => _city[..(_city.Length * part / parts)];

    /// <summary>Torn at another point each time, or noise, or gone.</summary>
    private void Spoil(int i, int count)
    {
        if (i % 10 == 8)
            Put(Noise(1000 + i), inPlace: false);
        else if (i % 10 == 9)
            File.Delete(DatabaseFile);
        else
            Put(Cut(i, count), inPlace: i % 2 == 0);
    }

    private void Put(byte[] bytes, bool inPlace)
    {
        string beside = string.Create(CultureInfo.InvariantCulture, $"{DatabaseFile}.{Guid.NewGuid():n}");
        File.WriteAllBytes(inPlace ? DatabaseFile : beside, bytes);
        if (!inPlace)
            File.Move(beside, DatabaseFile, overwrite: true);
    }

    /// <summary>Pairs again and again, and looks where the peer is said to be.</summary>
    private static async Task<int> AskAsync(Trial trial, CancellationToken stop)
    {
        int count = 0;
        for (; !stop.IsCancellationRequested; count++)
            Assert.Contains(await ReadPlaceAsync(trial), _places);
        return count;
    }

    private static async Task ExpectNoStartAsync(string database)
    {
        ServerProcess.Outcome outcome = await ServerProcess.RunAsync([$"--mmdb_loc={database}", $"--port={ServerProcess.FreePort()}", "--hostname=127.0.0.1"]);
        Assert.True(outcome.Status == 1, outcome.ToString());
        Assert.Single(outcome.Errors.Trim().Split('\n'));
        Assert.DoesNotContain("Exception", outcome.Output + outcome.Errors, StringComparison.Ordinal);
    }

    private static async Task<string> ReadPlaceAsync(Trial trial)
    {
        await using ChannelClient first = await trial.UpgradeAsync("/v1/ws/", headers: "X-Forwarded-For: 192.0.2.1");
        await first.ReadGreetingAsync();
        await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
        await first.SendTextAsync("x");
        using JsonDocument sender = JsonDocument.Parse(await second.ReadSenderAsync());
        return sender.RootElement.GetProperty("country").GetString()!;
    }
}
