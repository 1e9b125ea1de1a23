using System.Diagnostics;
using System.Globalization;

namespace ChannelServer.Reliability.Harness;

/// <summary>A control group of the test's own that limits the memory of whoever starts in it, the kernel's buffers for its sockets included.</summary>
internal sealed class MemoryGroup : IDisposable
{
    private const string Root = "/sys/fs/cgroup";

    private static int _last;

    private readonly string _folder;
    private readonly bool _isVersion1;

    private MemoryGroup(string folder, bool isVersion1)
    {
        _folder = folder;
        _isVersion1 = isVersion1;
    }

    /// <summary>The command that starts a program in the group: it has the same process id as the program.</summary>
    public string[] Prefix => ["sh", "-c", $"echo $$ > {_folder}/cgroup.procs && exec \"$@\"", "sh"];

    /// <summary>The most that was ever in use, in octets; null where the kernel does not tell.</summary>
    public long? Peak => ReadNumber(_isVersion1 ? "memory.max_usage_in_bytes" : "memory.peak");

    /// <summary>How often the kernel has killed for want of memory.</summary>
    public long Kills => long.Parse(
        Lines(_isVersion1 ? "memory.oom_control" : "memory.events").First(line => line.StartsWith("oom_kill ", StringComparison.Ordinal)).Split(' ')[1],
        CultureInfo.InvariantCulture);

    /// <summary>Makes a group; null where that is not permitted, or memory is not among what groups limit.</summary>
    public static MemoryGroup? TryCreate(long octets)
    {
        bool isVersion1 = Directory.Exists($"{Root}/memory");
        string name = string.Create(CultureInfo.InvariantCulture, $"channelserver-{Environment.ProcessId}-{Interlocked.Increment(ref _last)}");
        MemoryGroup group = new($"{Root}/{(isVersion1 ? "memory/" : "")}{name}", isVersion1);
        try
        {
            if (!isVersion1 && !File.ReadAllText($"{Root}/cgroup.subtree_control").Contains("memory", StringComparison.Ordinal))
                return null;
            Directory.CreateDirectory(group._folder);
            File.WriteAllText($"{group._folder}/{(isVersion1 ? "memory.limit_in_bytes" : "memory.max")}", octets.ToString(CultureInfo.InvariantCulture));
            using Process member = Process.Start(new ProcessStartInfo(group.Prefix[0], [.. group.Prefix[1..], "true"]) { RedirectStandardError = true })!;
            member.WaitForExit();
            if (member.ExitCode == 0)
                return group;
            group.Dispose();
            return null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            group.Dispose();
            return null;
        }
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(_folder);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Never made, or its last process is only just gone; an empty group costs nothing.
        }
    }

    private long? ReadNumber(string file) => File.Exists($"{_folder}/{file}") ? long.Parse(Lines(file)[0], CultureInfo.InvariantCulture) : null;

    private string[] Lines(string file) => File.ReadAllLines($"{_folder}/{file}");
}
