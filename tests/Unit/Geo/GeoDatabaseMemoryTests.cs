using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using ChannelServer.Geo;

namespace ChannelServer.Tests.Geo;

/// <summary>A database is in memory once, however often it is replaced.</summary>
[Collection(nameof(Alone))]
public sealed class GeoDatabaseMemoryTests
{
    private const int Databases = 300;

    [Fact]
    public void One_that_is_forgotten_is_given_back()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc is Linux'.");
        long before = Measure();
        for (int i = 0; i < Databases; i++)
            OpenAndForget(GeoFiles.City);
        Assert.InRange(Measure() - before, long.MinValue, new FileInfo(GeoFiles.City).Length * Databases / 10);
    }

    [Fact]
    public void One_that_is_torn_never_gets_there()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc is Linux'.");
        byte[] whole = File.ReadAllBytes(GeoFiles.City);
        string torn = Path.GetTempFileName();
        try
        {
            long before = Measure();
            for (int i = 1; i <= Databases; i++)
            {
                File.WriteAllBytes(torn, whole[..(whole.Length * i / (Databases + 1))]);
                Assert.False(GeoDatabase.TryOpen(torn, out _, out _));
            }
            Assert.InRange(Measure() - before, long.MinValue, whole.Length * (Databases / 2) / 10);
        }
        finally
        {
            File.Delete(torn);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void OpenAndForget(string path) => Assert.NotNull(GeoFiles.Open(path).Find(IPAddress.Parse("192.0.2.1"), out _));

    /// <summary>Octets that are shared between mappings, as the reader's copies of files are, when all is done that collections have to do.</summary>
    private static long Measure()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        string line = File.ReadLines("/proc/self/status").First(static line => line.StartsWith("RssShmem:", StringComparison.Ordinal));
        return 1024 * long.Parse(line["RssShmem:".Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }
}
