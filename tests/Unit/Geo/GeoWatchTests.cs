using System.Net;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.Tests.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests.Geo;

/// <summary>Files that are replaced in every way that tools replace them, in virtual time.</summary>
public sealed class GeoWatchTests : IDisposable
{
    private static readonly TimeSpan _interval = TimeSpan.FromSeconds(60);

    private static readonly byte[] _city = File.ReadAllBytes(GeoFiles.City);
    private static readonly byte[] _country = File.ReadAllBytes(GeoFiles.CountryIPv4);

    private readonly string _folder = Directory.CreateTempSubdirectory("geo-watch-").FullName;
    private readonly FakeTimeProvider _time = new();
    private readonly GeoSource _source = new("en");
    private readonly List<string> _log = [];
    private readonly GeoWatch _watch;

    public GeoWatchTests() => _watch = Watch(_interval);

    private string DatabaseFile => Path.Combine(_folder, "City.mmdb");

    private string? InUse => _source.Current?.Database.Type;

    public void Dispose()
    {
        _watch.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private GeoWatch Watch(TimeSpan interval) => new(DatabaseFile, interval, _source, new ListLogger(_log), _time);

    private void Start(byte[] bytes)
    {
        Write(bytes);
        Assert.True(_watch.TryOpen(out string? error), error);
        _watch.Start();
    }

    private void Write(byte[] bytes) => File.WriteAllBytes(DatabaseFile, bytes);

    /// <summary>What geoipupdate does: a file beside, then a rename.</summary>
    private void Rename(byte[] bytes)
    {
        File.WriteAllBytes(DatabaseFile + ".new", bytes);
        File.Move(DatabaseFile + ".new", DatabaseFile, overwrite: true);
    }

    /// <summary>The next look, and the one behind it at which a file that has changed is read.</summary>
    private void Pass()
    {
        _time.Advance(_interval);
        _time.Advance(GeoWatch.Settling);
    }

    [Fact]
    public void A_renamed_file_is_taken_at_the_next_look_and_not_before()
    {
        Start(_city);
        Rename(_country);
        _time.Advance(_interval - TimeSpan.FromSeconds(1));
        Assert.Equal("Test-City", InUse);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("Test-City", InUse);
        _time.Advance(GeoWatch.Settling);
        Assert.Equal("Test-Country", InUse);
        Assert.Equal(["LocationReplaced"], _log);
        for (int i = 0; i < 10; i++)
            Pass();
        Assert.Single(_log);
    }

    [Fact]
    public void A_link_that_is_turned_is_followed_even_to_a_file_of_the_same_size_and_date()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Needs links and inodes.");
        byte[] later = [.. _city];
        // Another month of the build date, which is a number of seconds: the files differ in content alone.
        int epoch = later.AsSpan().LastIndexOf("build_epoch"u8) + "build_epoch"u8.Length;
        later[epoch + 3] ^= 0x20;
        DateTime date = new(2025, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        // As Kubernetes mounts a ConfigMap: the file is a link through a folder that is itself a link.
        foreach ((string version, byte[] bytes) in ((string, byte[])[])[("one", _city), ("two", later)])
        {
            Directory.CreateDirectory(Path.Combine(_folder, version));
            File.WriteAllBytes(Path.Combine(_folder, version, "City.mmdb"), bytes);
            File.SetLastWriteTimeUtc(Path.Combine(_folder, version, "City.mmdb"), date);
        }
        string data = Path.Combine(_folder, "data");
        Directory.CreateSymbolicLink(data, "one");
        File.CreateSymbolicLink(DatabaseFile, Path.Combine("data", "City.mmdb"));
        Assert.True(_watch.TryOpen(out _));
        _watch.Start();
        DateTimeOffset built = _source.Current!.Database.BuiltAt;
        Directory.CreateSymbolicLink(data + ".new", "two");
        File.Delete(data);
        Directory.Move(data + ".new", data);
        Pass();
        Assert.NotEqual(built, _source.Current.Database.BuiltAt);
        Assert.Equal(["LocationReplaced"], _log);
    }

    [Fact]
    public void A_file_that_is_still_being_written_is_not_read()
    {
        Start(_city);
        using (FileStream slow = new(DatabaseFile, FileMode.Create, FileAccess.Write, FileShare.ReadWrite))
        {
            for (int i = 0; i < 50; i++)
            {
                slow.Write(_country.AsSpan(i * _country.Length / 50, ((i + 1) * _country.Length / 50) - (i * _country.Length / 50)));
                slow.Flush();
                Turn(i);
                _time.Advance(i == 0 ? _interval : GeoWatch.Settling);
                Assert.Equal("Test-City", InUse);
            }
        }
        Pass();
        Assert.Equal("Test-Country", InUse);
        Assert.Equal(["LocationReplaced"], _log);

        // Two writes within one tick of the kernel's clock would bear one date.
        void Turn(int i) => File.SetLastWriteTimeUtc(DatabaseFile, DateTime.UnixEpoch.AddSeconds(i));
    }

    [Fact]
    public void A_torn_file_is_told_once_and_the_old_one_stays_until_a_sound_one_comes()
    {
        Start(_city);
        for (int cut = 0; cut < 100; cut++)
        {
            Rename(_country[..(_country.Length * cut / 100)]);
            Pass();
            Pass();
            Assert.Equal("Test-City", InUse);
            Assert.Equal(cut + 1, _log.Count);
        }
        Assert.All(_log, line => Assert.StartsWith("LocationNotReplaced", line, StringComparison.Ordinal));
        Rename(_country);
        Pass();
        Assert.Equal("Test-Country", InUse);
        Assert.Equal("LocationReplaced", _log[^1]);
    }

    [Fact]
    public void Noise_and_MaxMinds_broken_database_are_not_taken()
    {
        Start(_city);
        byte[] noise = new byte[100_000];
        new Random(1).NextBytes(noise);
        Rename(noise);
        Pass();
        Rename(File.ReadAllBytes(GeoFiles.MaxMind("GeoIP2-City-Test-Invalid-Node-Count.mmdb")));
        Pass();
        Assert.Equal("Test-City", InUse);
        Assert.Equal(2, _log.Count);
        Rename(File.ReadAllBytes(GeoFiles.MaxMind("GeoLite2-City-Test.mmdb")));
        Pass();
        Assert.Equal("GeoLite2-City", InUse);
    }

    [Fact]
    public void A_file_that_is_gone_is_told_once_and_taken_when_it_is_back()
    {
        Start(_city);
        File.Delete(DatabaseFile);
        for (int i = 0; i < 5; i++)
            Pass();
        Assert.Equal("Test-City", InUse);
        Assert.Equal($"LocationNotReplaced no file at {DatabaseFile}", Assert.Single(_log));
        Write(_country);
        Pass();
        Assert.Equal("Test-Country", InUse);
    }

    [Fact]
    public void A_folder_in_its_place_is_no_database()
    {
        Start(_city);
        File.Delete(DatabaseFile);
        Directory.CreateDirectory(DatabaseFile);
        Pass();
        Assert.Equal("Test-City", InUse);
        Assert.Single(_log);
    }

    [Fact]
    public void One_that_comes_later_where_there_was_none_is_taken()
    {
        Assert.False(_watch.TryOpen(out string? error));
        Assert.Equal($"no file at {DatabaseFile}", error);
        _watch.Start();
        Pass();
        Assert.Empty(_log);
        Assert.Null(_source.Current);
        Write(_city);
        Pass();
        Assert.Equal("Test-City", InUse);
        Assert.Equal(["LocationOn"], _log);
    }

    [Fact]
    public void With_an_interval_of_zero_it_looks_only_when_told()
    {
        using GeoWatch watch = Watch(TimeSpan.Zero);
        Write(_city);
        Assert.True(watch.TryOpen(out _));
        watch.Start();
        Rename(_country);
        _time.Advance(TimeSpan.FromDays(1));
        Assert.Equal("Test-City", InUse);
        watch.LookNow();
        _time.Advance(TimeSpan.Zero);
        _time.Advance(GeoWatch.Settling);
        Assert.Equal("Test-Country", InUse);
    }

    [Fact]
    public void After_its_end_it_looks_no_more()
    {
        Start(_city);
        Rename(_country);
        _watch.Dispose();
        Pass();
        Assert.Equal("Test-City", InUse);
    }

    [Fact]
    public void Old_versions_are_not_kept()
    {
        Start(_city);
        List<WeakReference> old = [];
        for (int i = 0; i < 5; i++)
        {
            old.Add(Forget());
            Rename(i % 2 == 0 ? _country : _city);
            Pass();
        }
        GC.Collect();
        Assert.All(old, database => Assert.False(database.IsAlive));

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        WeakReference Forget() => new(_source.Current!.Database);
    }

    /// <summary>Names and languages are those of one database, whichever is in use.</summary>
    [Fact]
    public void Clients_are_placed_by_the_database_in_use_in_its_languages()
    {
        ClientFactsReader reader = new(TrustedProxies.Default, _source, localizeForReceiver: false, NullLogger.Instance);
        Assert.False(_watch.TryOpen(out _));
        _watch.Start();
        Assert.Equal("""{"remote":"192.0.2.1"}""", Read());
        Write(_city);
        Pass();
        Assert.Equal("""{"city":"Mountain View","country":"Vereinigte Staaten","region":"Kalifornien","remote":"192.0.2.1"}""", Read());
        Rename(_country);
        Pass();
        Assert.Equal("""{"country":"Bhutan","remote":"192.0.2.1"}""", Read());

        string Read() => System.Text.Encoding.UTF8.GetString(reader.Read(Heads.With("Accept-Language: de"), IPAddress.Parse("192.0.2.1")).Sender.Utf8Json);
    }

    [Fact]
    public async Task Lookups_go_on_while_it_is_replaced()
    {
        Start(_city);
        using CancellationTokenSource stop = new();
        ClientFactsReader reader = new(TrustedProxies.Default, _source, localizeForReceiver: true, NullLogger.Instance);
        using CountdownEvent begun = new(4);
        // On threads of their own: on a busy machine those of the pool may come when all is over.
        Task<int>[] readers = [.. Enumerable.Range(0, begun.InitialCount).Select(_ => Task.Factory.StartNew(() =>
        {
            int count = 0;
            for (; !stop.IsCancellationRequested; count++)
            {
                Visitor visitor = reader.Read(Heads.With("Accept-Language: de"), IPAddress.Parse("192.0.2.1"));
                string sender = System.Text.Encoding.UTF8.GetString(visitor.Sender.ReadBy(new LanguagePriorityList(["de"], [])));
                Assert.True(sender.Contains("Vereinigte Staaten", StringComparison.Ordinal) || sender.Contains("Bhutan", StringComparison.Ordinal), sender);
                if (count == 0)
                    begun.Signal();
            }
            return count;
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Assert.True(begun.Wait(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken));
        for (int i = 0; i < 100; i++)
        {
            Rename(i % 2 == 0 ? _country : _city);
            Pass();
            Assert.Equal(i % 2 == 0 ? "Test-Country" : "Test-City", InUse);
        }
        await stop.CancelAsync();
        int[] counts = await Task.WhenAll(readers);
        Assert.All(counts, static count => Assert.True(count > 0));
        Assert.True(counts.Sum() > 100);
    }

    /// <summary>Keeps the names of the events, and why a file was not taken.</summary>
    private sealed class ListLogger(List<string> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var values = Assert.IsAssignableFrom<IReadOnlyList<KeyValuePair<string, object?>>>(state);
            string? why = values.FirstOrDefault(value => value.Key == "why").Value as string;
            lines.Add(why is null ? eventId.Name! : $"{eventId.Name} {why}");
        }
    }
}
