using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;

namespace ChannelServer.Reliability.Harness;

/// <summary>What the kernel tells of a process, in proc(5).</summary>
internal static partial class ProcessStatus
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

    /// <summary>Whether none of its threads goes on before it is told to.</summary>
    public static bool IsStopped(int process)
    {
        try
        {
            return Directory.GetDirectories($"/proc/{process}/task").All(static thread => Fields($"{thread}/stat")[0] == "T");
        }
        catch (IOException)
        {
            // One has just ended.
            return false;
        }
    }

    /// <summary>How many it may have: the soft limit.</summary>
    public static string DescriptorLimit(int process) =>
        File.ReadLines($"/proc/{process}/limits").First(static line => line.StartsWith("Max open files", StringComparison.Ordinal))
            ["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];

    /// <summary>Octets that the kernel has taken for a client and that its kernel has not acknowledged, over all connections in the process's network to that address.</summary>
    public static long SendQueue(int process, IPAddress client)
    {
        // "0: 014DD50A:1F90 024DD50A:D2F0 01 00000A2B:00000000 ...": local, remote, state, queues. Addresses as the machine stores them, the first octet last.
        string remote = string.Concat(client.GetAddressBytes().Reverse().Select(static octet => octet.ToString("X2", CultureInfo.InvariantCulture))) + ":";
        return File.ReadLines($"/proc/{process}/net/tcp")
            .Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields[2].StartsWith(remote, StringComparison.Ordinal))
            .Sum(static fields => long.Parse(fields[4].AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
    }

    /// <summary>How many connections wait to be accepted, at each of the sockets that listen at a port in the process's network; in the same order each time.</summary>
    public static int[] AcceptQueues(int process, int port, int listeners)
    {
        const string listening = "0A";
        string local = string.Create(CultureInfo.InvariantCulture, $":{port:X4}");
        return
        [
            .. File.ReadLines($"/proc/{process}/net/tcp")
                .Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Where(fields => fields[3] == listening && fields[1].EndsWith(local, StringComparison.Ordinal))
                .Take(listeners)
                .Select(static fields => int.Parse(fields[4].AsSpan(9), NumberStyles.HexNumber, CultureInfo.InvariantCulture)),
        ];
    }

    public static long ResidentKilobytes(int process) => Field(process, "VmRSS:");

    /// <summary>The most that was ever resident.</summary>
    public static long PeakKilobytes(int process) => Field(process, "VmHWM:");

    /// <summary>Forgets the peak so far.</summary>
    public static void ResetPeak(int process) => File.WriteAllText($"/proc/{process}/clear_refs", "5");

    /// <summary>User and system time of all threads.</summary>
    public static TimeSpan Cpu(int process)
    {
        string[] fields = Fields($"/proc/{process}/stat");
        return TimeSpan.FromSeconds((Ticks(fields[11]) + Ticks(fields[12])) / TicksPerSecond);
    }

    /// <summary>The same, to the nanosecond. Threads that have ended count too, as in no file of proc(5) that is so fine.</summary>
    public static TimeSpan FineCpu(int process)
    {
        // clock_getcpuclockid(3): the processor time of a process is a clock with this number.
        const int ScheduledTime = 2;
        Assert.Equal(0, ClockGetTime((~process << 3) | ScheduledTime, out Timespec time));
        return TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromMicroseconds(time.Nanoseconds / 1000.0);
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ClockGetTime(int clock, out Timespec time);

    private readonly record struct Timespec(nint Seconds, nint Nanoseconds);

    /// <summary>What a file of that kind tells behind the name, which is in parentheses and may hold blanks: first the state.</summary>
    private static string[] Fields(string path)
    {
        string stat = File.ReadAllText(path);
        return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
    }

    private static double Ticks(string field) => long.Parse(field, CultureInfo.InvariantCulture);

    private static long Field(int process, string name)
    {
        string line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }
}
