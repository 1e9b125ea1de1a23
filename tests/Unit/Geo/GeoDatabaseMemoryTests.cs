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
        long size = new FileInfo(GeoFiles.City).Length;
        GeoDatabase kept = GeoFiles.Open(GeoFiles.City);
        long before = Measure();
        Assert.True(before >= size, "What is measured is not where databases are.");
        for (int i = 0; i < Databases; i++)
            OpenAndForget(GeoFiles.City);
        Assert.InRange(Measure() - before, long.MinValue, size * Databases / 10);
        GC.KeepAlive(kept);
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

    /// <summary>
    /// Octets of shared mappings, as the reader's copies of files are, when all is done that collections have to do. Without those of the runtime's
    /// code, which grow whenever it compiles.
    /// </summary>
    private static long Measure()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long kilobytes = 0;
        bool counts = false;
        foreach (string line in File.ReadLines("/proc/self/smaps"))
        {
            // A line of addresses, permissions and perhaps a name, then lines of a word with a colon and its value: proc_pid_smaps(5).
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!fields[0].EndsWith(':'))
                counts = fields[1].EndsWith('s') && !line.Contains("doublemapper", StringComparison.Ordinal);
            else if (counts && fields[0] == "Rss:")
                kilobytes += long.Parse(fields[1], CultureInfo.InvariantCulture);
        }
        return 1024 * kilobytes;
    }
}
