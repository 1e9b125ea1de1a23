using System.Globalization;

namespace ChannelServer.Bench;

/// <summary>What all cores did since the machine started, from the first line of proc_stat(5), in ticks.</summary>
internal readonly record struct HostClock(long Total, long Steal)
{
    public static HostClock Read()
    {
        long[] fields = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Skip(1).Select(static field => long.Parse(field, CultureInfo.InvariantCulture))];
        // user nice system idle iowait irq softirq steal; guest time, which follows, is already in user.
        return new HostClock(fields.Take(8).Sum(), fields[7]);
    }

    /// <summary>The share of time that the hypervisor took since an earlier reading.</summary>
    public double StealSince(HostClock earlier) =>
        Total == earlier.Total ? 0 : (double)(Steal - earlier.Steal) / (Total - earlier.Total);
}
