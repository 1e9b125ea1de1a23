using System.Globalization;

namespace ChannelServer.Bench;

/// <summary>What all cores did since the machine started, from the first line of proc_stat(5), in ticks.</summary>
internal readonly record struct HostClock(long Total, long Busy, long Steal)
{
    private const long TicksPerSecond = 100; // USER_HZ, the same on every Linux

    public static HostClock Read()
    {
        long[] fields = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Skip(1).Select(static field => long.Parse(field, CultureInfo.InvariantCulture))];
        // user nice system idle iowait irq softirq steal; guest time, which follows, is already in user.
        long total = fields.Take(8).Sum();
        return new HostClock(total, total - fields[3] - fields[4] - fields[7], fields[7]);
    }

    /// <summary>The share of time that the hypervisor took since an earlier reading.</summary>
    public double StealSince(HostClock earlier) =>
        Total == earlier.Total ? 0 : (double)(Steal - earlier.Steal) / (Total - earlier.Total);

    /// <summary>The share of time that went to other processes than those that used this much themselves.</summary>
    public double OthersSince(HostClock earlier, TimeSpan own) =>
        Total == earlier.Total ? 0 : Math.Max(0, (Busy - earlier.Busy - (own.TotalSeconds * TicksPerSecond)) / (Total - earlier.Total));
}
