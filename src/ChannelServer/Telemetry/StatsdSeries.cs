using System.Diagnostics.Metrics;
using System.Globalization;
using Tags = System.ReadOnlySpan<System.Collections.Generic.KeyValuePair<string, object?>>;

namespace ChannelServer.Telemetry;

/// <summary>What one instrument measured since the last flush, in bounded memory. Measured from any thread, told from one.</summary>
internal abstract class StatsdSeries
{
    public abstract void Measure(long value, Tags tags);

    /// <summary>Hands over the lines since the last call.</summary>
    public abstract void Tell(StatsdDatagrams to);

    /// <summary>The series that statsd has for an instrument; null for one that it has none for.</summary>
    public static StatsdSeries? For(Instrument instrument, string prefix)
    {
        string name = prefix.Length == 0 ? instrument.Name : $"{prefix}.{instrument.Name}";
        return instrument switch
        {
            Counter<long> => new StatsdCounter(name),
            UpDownCounter<long> => new StatsdGauge(name),
            Histogram<long> => new StatsdTimer(name),
            _ => null,
        };
    }
}

/// <summary>A counter, with one sum for each value of its one tag.</summary>
internal sealed class StatsdCounter(string name) : StatsdSeries
{
    // More values than any of our tags has; a tag that grows without bound is a bug, which must not cost memory.
    private const int MaxSums = 64;

    private readonly Lock _gate = new();
    private Sum[] _sums = [];

    public override void Measure(long value, Tags tags)
    {
        KeyValuePair<string, object?> tag = tags.IsEmpty ? default : tags[0];
        Interlocked.Add(ref Find(tag.Key, tag.Value as string).Value, value);
    }

    public override void Tell(StatsdDatagrams to)
    {
        foreach (Sum sum in Volatile.Read(ref _sums))
        {
            if (Interlocked.Exchange(ref sum.Value, 0) is not 0 and long value)
                to.Add(name, value, sum.Suffix);
        }
    }

    private Sum Find(string? key, string? tag)
    {
        foreach (Sum sum in Volatile.Read(ref _sums))
        {
            if (sum.Tag == tag)
                return sum;
        }
        lock (_gate)
        {
            foreach (Sum sum in _sums)
            {
                if (sum.Tag == tag)
                    return sum;
            }
            if (_sums.Length >= MaxSums)
                return _sums[^1];
            Sum added = new(tag, _sums.Length == MaxSums - 1 ? "|c|#other" : Suffix(key, tag));
            Volatile.Write(ref _sums, [.. _sums, added]);
            return added;
        }
    }

    /// <summary>
    /// The type and the tag. Mozilla's server sends the kind of <c>conn.request</c> as a bare value (cadence's <c>with_tag_value</c>),
    /// so it stays one here.
    /// </summary>
    private static string Suffix(string? key, string? tag) =>
        tag is null ? "|c"
        : key is null or RelayTelemetry.KindTag ? $"|c|#{Plain(tag)}"
        : $"|c|#{Plain(key)}:{Plain(tag)}";

    private static string Plain(string text) => string.Create(text.Length, text, static (to, from) =>
    {
        for (int i = 0; i < to.Length; i++)
            to[i] = char.IsAsciiLetterOrDigit(from[i]) || from[i] is '_' or '-' or '.' ? from[i] : '_';
    });

    private sealed class Sum(string? tag, string suffix)
    {
        public long Value;

        public string? Tag { get; } = tag;
        public string Suffix { get; } = suffix;
    }
}

/// <summary>A value that goes up and down. Told at every flush: a statsd server that was restarted must learn it again.</summary>
internal sealed class StatsdGauge(string name) : StatsdSeries
{
    private long _value;

    public override void Measure(long value, Tags tags) => Interlocked.Add(ref _value, value);

    // A sign would make statsd read the value as a change.
    public override void Tell(StatsdDatagrams to) => to.Add(name, Math.Max(0, Interlocked.Read(ref _value)), "|g");
}

/// <summary>
/// Times in milliseconds. Up to <see cref="MaxSamples"/> of them go out as they are; of more, a fair sample goes out with its rate, from
/// which the server computes the count.
/// </summary>
internal sealed class StatsdTimer(string name) : StatsdSeries
{
    public const int MaxSamples = 512;

    private readonly Lock _gate = new();
    private long[] _samples = new long[MaxSamples];
    private long _count;

    // Flushing thread only.
    private long[] _told = new long[MaxSamples];

    public override void Measure(long value, Tags tags)
    {
        lock (_gate)
        {
            // Vitter's algorithm R: each of the values so far stays with the same probability.
            long at = _count < MaxSamples ? _count : Random.Shared.NextInt64(_count + 1);
            if (at < MaxSamples)
                _samples[at] = value;
            _count++;
        }
    }

    public override void Tell(StatsdDatagrams to)
    {
        long count;
        lock (_gate)
        {
            (_samples, _told) = (_told, _samples);
            count = _count;
            _count = 0;
        }
        string suffix = count <= MaxSamples ? "|ms" : string.Create(CultureInfo.InvariantCulture, $"|ms|@{(double)MaxSamples / count:0.######}");
        foreach (long sample in _told.AsSpan(0, (int)Math.Min(count, MaxSamples)))
            to.Add(name, sample, suffix);
    }
}

/// <summary>Packs lines into datagrams that no Ethernet link has to fragment.</summary>
internal sealed class StatsdDatagrams(Action<ReadOnlyMemory<byte>> send)
{
    /// <summary>1500 of Ethernet, less 40 of IPv6, 8 of UDP and some room for tunnels: the size that Datadog's clients use too.</summary>
    public const int MaxOctets = 1432;

    private readonly byte[] _datagram = new byte[MaxOctets];
    private int _length;

    public void Add(string name, long value, string suffix)
    {
        // Names and suffixes are ours and short: a line is far below a datagram.
        Span<byte> line = stackalloc byte[512];
        if (!System.Text.Unicode.Utf8.TryWrite(line, CultureInfo.InvariantCulture, $"{name}:{value}{suffix}", out int length))
            return;
        if (_length + 1 + length > MaxOctets)
            Flush();
        if (_length > 0)
            _datagram[_length++] = (byte)'\n';
        line[..length].CopyTo(_datagram.AsSpan(_length));
        _length += length;
    }

    public void Flush()
    {
        if (_length == 0)
            return;
        send(_datagram.AsMemory(0, _length));
        _length = 0;
    }
}
