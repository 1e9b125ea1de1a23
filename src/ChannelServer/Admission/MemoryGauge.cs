using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace ChannelServer.Admission;

/// <summary>
/// Reads the memory of the process's control group (version 2, or 1), and of the managed heap where that has a limit of its own. The group's
/// count has what the process does not see: the kernel's socket buffers. Reading leaves next to nothing to collect: it is done ten times a second
/// where memory is small, and is all that a server at rest does.
/// </summary>
/// <param name="group">The files of the group that limits; null when none does.</param>
internal sealed class MemoryGauge(MemoryGauge.GroupFiles? group)
{
    /// <summary>Octets; a group's statistics have fewer than a quarter of it.</summary>
    private const int LongestFile = 8192;

    /// <summary>More than any machine has: what version 1 writes for "no limit" is of that size.</summary>
    private const long NoLimit = 1L << 60;

    /// <summary>Finds the nearest group with a limit, from the process's own upwards.</summary>
    /// <param name="membership">The file that tells the groups of the process.</param>
    /// <param name="root">Where the groups' file system is mounted.</param>
    public static MemoryGauge Find(string membership, string root)
    {
        string lines = Encoding.UTF8.GetString(ReadText(membership, stackalloc byte[LongestFile]));
        foreach (string line in lines.Split('\n'))
        {
            // "0::/path" of version 2, "4:memory:/path" of version 1.
            string[] parts = line.Split(':', 3);
            if (parts.Length < 3 || (parts[1].Length > 0 && !parts[1].Split(',').Contains("memory")))
                continue;
            bool isVersion1 = parts[1].Length > 0;
            string mount = isVersion1 ? Path.Combine(root, "memory") : root;
            if (FindLimited(mount, parts[2].Trim('/'), isVersion1) is { } files)
                return new MemoryGauge(files);
        }
        return new MemoryGauge(null);
    }

    /// <summary>The use that is nearest to its limit.</summary>
    public MemoryUse Read()
    {
        GCMemoryInfo heap = GC.GetGCMemoryInfo();
        MemoryUse managed = heap.TotalAvailableMemoryBytes > 0
            ? new MemoryUse(heap.HeapSizeBytes, heap.TotalAvailableMemoryBytes)
            : new MemoryUse(0, long.MaxValue);
        if (group is null || ReadNumber(group.Limit) is not { } limit || limit <= 0)
            return managed;
        // The page cache goes when memory is wanted.
        long used = (ReadNumber(group.Usage) ?? 0) - ReadStatistic(group.Statistics, group.InactiveFile);
        return (double)used / limit > (double)managed.Used / managed.Limit ? new MemoryUse(used, limit) : managed;
    }

    private static GroupFiles? FindLimited(string mount, string path, bool isVersion1)
    {
        // Inside a container the path may be the host's, and the mount the group itself: the walk upwards ends there.
        while (true)
        {
            GroupFiles files = new(Path.Combine(mount, path), isVersion1);
            if (ReadNumber(files.Limit) is > 0 and < NoLimit)
                return files;
            if (path.Length == 0)
                return null;
            path = Path.GetDirectoryName(path) ?? "";
        }
    }

    /// <summary>The number behind a name and a blank; 0 when there is none.</summary>
    private static long ReadStatistic(string file, byte[] name)
    {
        ReadOnlySpan<byte> text = ReadText(file, stackalloc byte[LongestFile]);
        foreach (Range range in text.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = text[range];
            if (line.StartsWith(name) && long.TryParse(line[name.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out long octets))
                return octets;
        }
        return 0;
    }

    /// <summary>The number in a file; null when there is no such file, or the word <c>max</c> in it.</summary>
    private static long? ReadNumber(string file) =>
        long.TryParse(ReadText(file, stackalloc byte[32]).TrimEnd((byte)'\n'), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;

    /// <summary>What a file begins with, as much as the buffer takes; nothing when it cannot be read.</summary>
    private static ReadOnlySpan<byte> ReadText(string file, Span<byte> buffer)
    {
        try
        {
            // Without sharing the runtime would lock it.
            using SafeFileHandle handle = File.OpenHandle(file, share: FileShare.ReadWrite);
            int length = 0;
            while (RandomAccess.Read(handle, buffer[length..], length) is > 0 and int read)
                length += read;
            return buffer[..length];
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // No such group, or none that we may see: then it does not limit us as far as we know.
            return [];
        }
    }

    /// <summary>The files of a group.</summary>
    /// <param name="folder">Where they are.</param>
    /// <param name="isVersion1">Whether they have the names of version 1.</param>
    internal sealed class GroupFiles(string folder, bool isVersion1)
    {
        public string Limit { get; } = Path.Combine(folder, isVersion1 ? "memory.limit_in_bytes" : "memory.max");

        public string Usage { get; } = Path.Combine(folder, isVersion1 ? "memory.usage_in_bytes" : "memory.current");

        public string Statistics { get; } = Path.Combine(folder, "memory.stat");

        /// <summary>The name, in the statistics, of what the kernel can take back; and the blank behind it.</summary>
        public byte[] InactiveFile { get; } = Encoding.ASCII.GetBytes(isVersion1 ? "total_inactive_file " : "inactive_file ");
    }
}
