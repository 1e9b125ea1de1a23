using System.Diagnostics;
using System.Numerics;

namespace ChannelServer.Bench;

/// <summary>
/// Counts of durations in buckets no wider than 1/64 of their value, from nanoseconds to minutes: recording is two shifts and an
/// increment, and a percentile is right to 1.6 %.
/// </summary>
internal sealed class LatencyHistogram
{
    private const int SubBits = 6;
    private readonly long[] _counts = new long[(65 - SubBits) << SubBits];

    public long Count { get; private set; }

    public void Record(long stopwatchTicks)
    {
        long nanoseconds = Math.Max(0, (long)(stopwatchTicks * (1e9 / Stopwatch.Frequency)));
        _counts[BucketOf(nanoseconds)]++;
        Count++;
    }

    public void Clear()
    {
        Array.Clear(_counts);
        Count = 0;
    }

    /// <summary>Microseconds at or under which this share of all durations lies.</summary>
    public double Percentile(double share)
    {
        long wanted = (long)Math.Ceiling(share * Count), seen = 0;
        for (int bucket = 0; bucket < _counts.Length; bucket++)
        {
            seen += _counts[bucket];
            if (seen >= wanted && seen > 0)
                return UpperEdge(bucket) / 1000.0;
        }
        return double.NaN;
    }

    private static int BucketOf(long value)
    {
        int shift = Math.Max(0, BitOperations.Log2((ulong)value | 1) - SubBits);
        return (shift << SubBits) + (int)(value >> shift);
    }

    private static long UpperEdge(int bucket)
    {
        if (bucket < 2 << SubBits)
            return bucket;
        int shift = (bucket >> SubBits) - 1;
        return ((long)(bucket - (shift << SubBits)) + 1) << shift;
    }
}
