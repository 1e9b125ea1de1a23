using System.Globalization;

namespace ChannelServer.Reliability.Harness;

/// <summary>What the kernel tells of a process, in proc(5).</summary>
internal static class ProcessStatus
{
    /// <summary>USER_HZ, which is 100 on every architecture that .NET runs on.</summary>
    private const double TicksPerSecond = 100;

    public static int Descriptors(int process) => Directory.GetFileSystemEntries($"/proc/{process}/fd").Length;

    /// <summary>The number that the next descriptor gets.</summary>
    public static int LowestFreeDescriptor(int process)
    {
        HashSet<string> taken = [.. Directory.GetFileSystemEntries($"/proc/{process}/fd").Select(static path => Path.GetFileName(path))];
        return Enumerable.Range(0, int.MaxValue).First(number => !taken.Contains(number.ToString(CultureInfo.InvariantCulture)));
    }

    /// <summary>How many it may have: the soft limit.</summary>
    public static string DescriptorLimit(int process) =>
        File.ReadLines($"/proc/{process}/limits").First(static line => line.StartsWith("Max open files", StringComparison.Ordinal))
            ["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];

    public static long ResidentKilobytes(int process) => Field(process, "VmRSS:");

    /// <summary>The most that was ever resident.</summary>
    public static long PeakKilobytes(int process) => Field(process, "VmHWM:");

    /// <summary>Forgets the peak so far.</summary>
    public static void ResetPeak(int process) => File.WriteAllText($"/proc/{process}/clear_refs", "5");

    /// <summary>User and system time of all threads.</summary>
    public static TimeSpan Cpu(int process)
    {
        string stat = File.ReadAllText($"/proc/{process}/stat");
        // The name, in parentheses, may hold blanks.
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return TimeSpan.FromSeconds((Ticks(fields[11]) + Ticks(fields[12])) / TicksPerSecond);
    }

    /// <summary>Time on a processor of all threads that live, to the nanosecond; that of threads which have ended is not in it.</summary>
    public static TimeSpan FineCpu(int process)
    {
        double nanoseconds = 0;
        foreach (string task in Directory.GetDirectories($"/proc/{process}/task"))
        {
            try
            {
                nanoseconds += double.Parse(File.ReadAllText(Path.Combine(task, "schedstat")).Split(' ')[0], CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // It has ended just now.
            }
        }
        return TimeSpan.FromMicroseconds(nanoseconds / 1000);
    }

    private static double Ticks(string field) => long.Parse(field, CultureInfo.InvariantCulture);

    private static long Field(int process, string name)
    {
        string line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }
}
