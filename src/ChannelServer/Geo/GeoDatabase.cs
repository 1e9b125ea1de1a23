using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using MaxMind.Db;

namespace ChannelServer.Geo;

/// <summary>
/// A MaxMind City or Country database, read into memory whole. Immutable and safe for any thread. Whoever replaces it simply forgets it: it is
/// freed when the last lookup under way on any thread is over, which is what finalizers are for. A reader has its copy of the file in memory that no
/// collection gives back, but its disposal alone.
/// </summary>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "Disposing the reader would fail lookups under way on other threads.")]
internal sealed class GeoDatabase
{
    /// <summary>Records that are decoded for the test of a file.</summary>
    private const int ProbedRecords = 1000;

    /// <summary>Addresses of each family that are looked up for the test of a file, spread over what is assigned.</summary>
    private const int ProbedAddresses = 256;

    /// <summary>In how many octets at the end of a file its metadata must begin, by the format.</summary>
    private const int MetadataSize = 128 * 1024;

    private readonly Reader _reader;

    /// <summary>What the metadata begins with: three octets and <c>MaxMind.com</c>.</summary>
    private static ReadOnlySpan<byte> MetadataMarker => [0xAB, 0xCD, 0xEF, 0x4D, 0x61, 0x78, 0x4D, 0x69, 0x6E, 0x64, 0x2E, 0x63, 0x6F, 0x6D];

    private GeoDatabase(Reader reader) => _reader = reader;

    ~GeoDatabase() => _reader.Dispose();

    /// <summary>What the database calls itself: GeoLite2-City, for one.</summary>
    public string Type => _reader.Metadata.DatabaseType;

    /// <summary>When its publisher built it.</summary>
    public DateTimeOffset BuiltAt => new(_reader.Metadata.BuildDate, TimeSpan.Zero);

    /// <summary>The languages that its metadata lists; records may hold more.</summary>
    public IReadOnlyList<string> Languages => _reader.Metadata.Languages;

    private bool HoldsIPv6 => _reader.Metadata.IPVersion == 6;

    /// <summary>
    /// Reads and tests a file. The test decodes some thousand records (a few milliseconds): a file that is torn or not of this
    /// kind is refused here. Damage that it misses costs the location of whom it concerns, nothing else.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="database">The database, ready for lookups.</param>
    /// <param name="error">What is wrong with the file, in one line.</param>
    public static bool TryOpen(string path, [NotNullWhen(true)] out GeoDatabase? database, [NotNullWhen(false)] out string? error)
    {
        database = null;
        try
        {
            if (!HasMetadata(path))
            {
                error = $"{path} is corrupt or no MaxMind database: it has no metadata at its end";
                return false;
            }
            // Not mapped: a mapped file that is cut short in place ends the process with SIGBUS at the next lookup.
            GeoDatabase opened = new(new Reader(path, FileAccessMode.Memory));
            if (opened.Test() is { } fault)
            {
                error = $"{path} is of no use: {fault}";
                return false;
            }
            error = null;
            database = opened;
            return true;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            error = $"no file at {path}";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            error = $"{path} cannot be read: {OneLine(exception)}";
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // The reader promises no set of exceptions for bytes that are not a database.
            error = $"{path} is corrupt or no MaxMind database: {OneLine(exception)}";
        }
        return false;
    }

    /// <summary>Where an address is. Never throws: what a corrupt record would is told in words.</summary>
    /// <param name="address">In canonical form: IPv4 not mapped into IPv6.</param>
    /// <param name="fault">What is wrong with the record, or null.</param>
    /// <returns>The record; null when the database knows nothing of the address.</returns>
    public GeoRecord? Find(IPAddress address, out string? fault)
    {
        fault = null;
        // An IPv4 tree would be walked by the first 32 bits of an IPv6 address, and answer with a stranger's place.
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && !HoldsIPv6)
            return null;
        try
        {
            return _reader.Find<GeoRecord>(address);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            fault = OneLine(exception);
            return null;
        }
        finally
        {
            GC.KeepAlive(this);
        }
    }

    /// <summary>Whether a file ends as a database does. A torn one does not, and a reader that finds that out itself keeps its copy of the file for good.</summary>
    private static bool HasMetadata(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        byte[] end = new byte[(int)Math.Min(file.Length, MetadataSize)];
        file.Seek(-end.Length, SeekOrigin.End);
        int read = file.ReadAtLeast(end, end.Length, throwOnEndOfStream: false);
        return end.AsSpan(0, read).LastIndexOf(MetadataMarker) >= 0;
    }

    private string? Test()
    {
        Metadata metadata = _reader.Metadata;
        if (metadata.BinaryFormatMajorVersion != 2)
            return $"format version {metadata.BinaryFormatMajorVersion}, where 2 is understood";
        if (metadata.IPVersion is not (4 or 6))
            return $"an IP version of {metadata.IPVersion}";
        int records = 0;
        foreach (Reader.ReaderIteratorNode<GeoRecord> _ in _reader.FindAll<GeoRecord>(cacheSize: ProbedRecords))
        {
            if (++records == ProbedRecords)
                break;
        }
        if (records == 0)
            return "it holds no record";

        Span<byte> octets = stackalloc byte[16];
        for (int probe = 0; probe < ProbedAddresses; probe++)
        {
            octets.Clear();
            BinaryPrimitives.WriteUInt32BigEndian(octets, (uint)probe << 24 | (uint)(probe * 40503) & 0xFFFFFF);
            _reader.Find<GeoRecord>(new IPAddress(octets[..4]));
            if (HoldsIPv6)
            {
                // 2000::/3 is all that is assigned (RFC 4291, 2.4).
                BinaryPrimitives.WriteUInt32BigEndian(octets, 0x2000_0000u | (uint)probe << 21 | (uint)(probe * 40503) & 0x1FFFFF);
                _reader.Find<GeoRecord>(new IPAddress(octets));
            }
        }
        GC.KeepAlive(this);
        return null;
    }

    private static string OneLine(Exception exception) => exception.Message.ReplaceLineEndings(" ");
}
