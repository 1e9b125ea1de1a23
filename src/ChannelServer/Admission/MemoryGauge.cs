using System.Globalization;

namespace ChannelServer.Admission;

/// <summary>
/// Reads the memory of the process's control group (version 2, or 1), and of the managed heap where that has a limit of its own. The group's
/// count has what the process does not see: the kernel's socket buffers.
/// </summary>
/// <param name="folder">The group that limits; null when none does.</param>
/// <param name="isVersion1">Whether its files have the names of version 1.</param>
internal sealed class MemoryGauge(string? folder, bool isVersion1)
{
    /// <summary>More than any machine has: what version 1 writes for "no limit" is of that size.</summary>
    private const long NoLimit = 1L << 60;

    /// <summary>Finds the nearest group with a limit, from the process's own upwards.</summary>
    /// <param name="membership">The file that tells the groups of the process.</param>
    /// <param name="root">Where the groups' file system is mounted.</param>
    public static MemoryGauge Find(string membership, string root)
    {
        foreach (string line in ReadLines(membership))
        {
            // "0::/path" of version 2, "4:memory:/path" of version 1.
            string[] parts = line.Split(':', 3);
            if (parts.Length < 3 || (parts[1].Length > 0 && !parts[1].Split(',').Contains("memory")))
                continue;
            bool isVersion1 = parts[1].Length > 0;
            string mount = isVersion1 ? Path.Combine(root, "memory") : root;
            if (FindLimited(mount, parts[2].Trim('/'), isVersion1) is { } folder)
                return new MemoryGauge(folder, isVersion1);
        }
        return new MemoryGauge(null, false);
    }

    /// <summary>The use that is nearest to its limit.</summary>
    public MemoryUse Read()
    {
        GCMemoryInfo heap = GC.GetGCMemoryInfo();
        MemoryUse managed = heap.TotalAvailableMemoryBytes > 0
            ? new MemoryUse(heap.HeapSizeBytes, heap.TotalAvailableMemoryBytes)
            : new MemoryUse(0, long.MaxValue);
        if (folder is null || ReadNumber(Path.Combine(folder, LimitFile(isVersion1))) is not { } limit || limit <= 0)
            return managed;
        long used = ReadNumber(Path.Combine(folder, isVersion1 ? "memory.usage_in_bytes" : "memory.current")) ?? 0;
        // The page cache goes when memory is wanted.
        used -= Reclaimable();
        return (double)used / limit > (double)managed.Used / managed.Limit ? new MemoryUse(used, limit) : managed;
    }

    private static string? FindLimited(string mount, string path, bool isVersion1)
    {
        // Inside a container the path may be the host's, and the mount the group itself: the walk upwards ends there.
        while (true)
        {
            string folder = Path.Combine(mount, path);
            if (ReadNumber(Path.Combine(folder, LimitFile(isVersion1))) is > 0 and < NoLimit)
                return folder;
            if (path.Length == 0)
                return null;
            path = Path.GetDirectoryName(path) ?? "";
        }
    }

    private static string LimitFile(bool isVersion1) => isVersion1 ? "memory.limit_in_bytes" : "memory.max";

    private long Reclaimable()
    {
        string name = isVersion1 ? "total_inactive_file " : "inactive_file ";
        foreach (string line in ReadLines(Path.Combine(folder!, "memory.stat")))
        {
            if (line.StartsWith(name, StringComparison.Ordinal) && long.TryParse(line.AsSpan(name.Length), CultureInfo.InvariantCulture, out long octets))
                return octets;
        }
        return 0;
    }

    /// <summary>The number in a file; null when there is no such file, or the word <c>max</c> in it.</summary>
    private static long? ReadNumber(string file) =>
        ReadLines(file) is [var line, ..] && long.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;

    private static string[] ReadLines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // No such group, or none that we may see: then it does not limit us as far as we know.
            return [];
        }
    }
}
