namespace ChannelServer.Admission;

/// <summary>What one network may do. 0 means no limit.</summary>
/// <param name="Opens">Channels opened per minute; as many at once.</param>
/// <param name="Joins">Joins per minute; as many at once.</param>
/// <param name="FailedJoins">Joins per minute that find no channel, or a full one; as many at once.</param>
/// <param name="Connections">Connections at a time.</param>
internal readonly record struct AddressLimits(int Opens, int Joins, int FailedJoins, int Connections)
{
    /// <summary>The limits of a network that holds several others.</summary>
    public AddressLimits Times(int factor) => new(Opens * factor, Joins * factor, FailedJoins * factor, Connections * factor);
}

/// <summary>
/// What is known about networks of one size, in a fixed amount of memory. A network's row stands in one of eight places, chosen by a secret
/// hash; when all are taken, the row goes that limits least. So a decision costs eight comparisons whoever floods the table with new
/// addresses, and such a flood displaces networks that did little, but not those that are at their limits. Safe for any thread.
/// </summary>
internal sealed class AddressTable
{
    /// <summary>Networks that are remembered: 2.6 MB, of which only what is used is ever resident.</summary>
    public const int DefaultRows = 65_536;

    private const int Ways = 8;
    private const int Stripes = 64;

    /// <summary>The time in which an empty bucket fills: limits are per minute.</summary>
    private static readonly long _window = TimeSpan.FromMinutes(1).Ticks;

    /// <summary>What a connection weighs against buckets when a row has to go: about as much as a dozen opens.</summary>
    private static readonly long _connectionWeight = TimeSpan.FromSeconds(2).Ticks;

    private readonly Row[] _rows;
    private readonly Lock[] _gates;
    private readonly AddressLimits _limits;
    private readonly ulong _secret = Secret();
    private readonly ulong _secondSecret = Secret();
    private readonly int _setMask;

    /// <param name="limits">The limits of each network.</param>
    /// <param name="rows">How many networks are remembered: a power of two, at least eight.</param>
    public AddressTable(AddressLimits limits, int rows = DefaultRows)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(int.PopCount(rows), 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, Ways);
        _limits = limits;
        _rows = new Row[rows];
        _setMask = (rows / Ways) - 1;
        _gates = [.. Enumerable.Range(0, Stripes).Select(static _ => new Lock())];
    }

    // A version 4 Guid is 122 bits of the operating system's CSPRNG, and costs a server at rest no crypto library (5 MB).
    private static ulong Secret() => BitConverter.ToUInt64(Guid.NewGuid().ToByteArray(), 8) ^ BitConverter.ToUInt64(Guid.NewGuid().ToByteArray()) | 1;

    /// <summary>Networks that are remembered now, by counting: for tests.</summary>
    public int Count => _rows.Count(static row => row.Key != 0);

    /// <summary>Admits a connection of a network, and charges for it, or says which limit it would break.</summary>
    /// <param name="key">The network; not 0.</param>
    /// <param name="opens">Whether it opens a channel; else it joins one.</param>
    /// <param name="enforces">Whether a broken limit refuses. If not, the connection is counted all the same.</param>
    /// <param name="now">The time in ticks; never negative.</param>
    /// <param name="wait">Ticks until the limit lets another one through; 0 when time alone does not.</param>
    public RefusalReason Enter(ulong key, bool opens, bool enforces, long now, out long wait)
    {
        int set = SetOf(key);
        lock (_gates[set % Stripes])
        {
            ref Row row = ref FindOrAdd(set, key, now);
            RefusalReason broken = Judge(row, opens, now, out wait);
            if (broken != RefusalReason.None && enforces)
                return broken;
            if (broken == RefusalReason.None)
                Charge(ref opens ? ref row.Opens : ref row.Joins, opens ? _limits.Opens : _limits.Joins, now);
            row.Connections++;
            return broken;
        }
    }

    /// <summary>Takes an <see cref="Enter"/> back, as if it had never been.</summary>
    public void Undo(ulong key, bool opens)
    {
        int set = SetOf(key);
        lock (_gates[set % Stripes])
        {
            ref Row row = ref Find(set, key, out bool found);
            if (!found)
                return;
            int perMinute = opens ? _limits.Opens : _limits.Joins;
            if (perMinute > 0)
                (opens ? ref row.Opens : ref row.Joins) -= _window / perMinute;
            row.Connections = Math.Max(0, row.Connections - 1);
        }
    }

    /// <summary>A connection of a network is closed. Of a network that was displaced meanwhile nothing is known any more.</summary>
    public void Leave(ulong key)
    {
        int set = SetOf(key);
        lock (_gates[set % Stripes])
        {
            ref Row row = ref Find(set, key, out bool found);
            if (found)
                row.Connections = Math.Max(0, row.Connections - 1);
        }
    }

    /// <summary>A join has failed.</summary>
    /// <returns>Whether the network may not join any more for now.</returns>
    public bool FailJoin(ulong key, long now)
    {
        if (_limits.FailedJoins == 0)
            return false;
        int set = SetOf(key);
        lock (_gates[set % Stripes])
        {
            ref Row row = ref FindOrAdd(set, key, now);
            if (WaitOf(row.FailedJoins, _limits.FailedJoins, now) == 0)
                Charge(ref row.FailedJoins, _limits.FailedJoins, now);
            return WaitOf(row.FailedJoins, _limits.FailedJoins, now) > 0;
        }
    }

    private RefusalReason Judge(in Row row, bool opens, long now, out long wait)
    {
        wait = 0;
        if (_limits.Connections > 0 && row.Connections >= _limits.Connections)
            return RefusalReason.Connections;
        if (opens)
        {
            wait = WaitOf(row.Opens, _limits.Opens, now);
            return wait > 0 ? RefusalReason.Opens : RefusalReason.None;
        }
        wait = WaitOf(row.FailedJoins, _limits.FailedJoins, now);
        if (wait > 0)
            return RefusalReason.FailedJoins;
        wait = WaitOf(row.Joins, _limits.Joins, now);
        return wait > 0 ? RefusalReason.Joins : RefusalReason.None;
    }

    /// <summary>
    /// How long until a bucket has a token; 0 when it has one. A bucket is the one time at which it will be full again (the generic cell rate
    /// algorithm of ITU-T I.371), so it takes eight octets and nothing has to refill it.
    /// </summary>
    private static long WaitOf(long fullAt, int perMinute, long now) =>
        perMinute == 0 ? 0 : Math.Max(0, Math.Max(fullAt, now) + (_window / perMinute) - now - _window);

    private static void Charge(ref long fullAt, int perMinute, long now)
    {
        if (perMinute > 0)
            fullAt = Math.Max(fullAt, now) + (_window / perMinute);
    }

    private int SetOf(ulong key)
    {
        ulong mixed = (key ^ (key >> 32)) * _secret;
        return (int)(((mixed ^ (mixed >> 29)) * _secondSecret) >> 32) & _setMask;
    }

    private ref Row Find(int set, ulong key, out bool found)
    {
        Span<Row> ways = _rows.AsSpan(set * Ways, Ways);
        for (int way = 0; way < ways.Length; way++)
        {
            if (ways[way].Key == key)
            {
                found = true;
                return ref ways[way];
            }
        }
        found = false;
        return ref ways[0];
    }

    private ref Row FindOrAdd(int set, ulong key, long now)
    {
        ref Row row = ref Find(set, key, out bool found);
        if (found)
            return ref row;
        Span<Row> ways = _rows.AsSpan(set * Ways, Ways);
        int victim = 0;
        for (int way = 1; way < ways.Length; way++)
        {
            if (ways[way].Weight(now) < ways[victim].Weight(now))
                victim = way;
        }
        ways[victim] = new Row { Key = key };
        return ref ways[victim];
    }

    private struct Row
    {
        public ulong Key;
        public long Opens;
        public long Joins;
        public long FailedJoins;
        public int Connections;

        /// <summary>What would be forgotten with the row; 0 when nothing would.</summary>
        public readonly long Weight(long now) =>
            Key == 0 ? -1 : Math.Max(0, Opens - now) + Math.Max(0, Joins - now) + Math.Max(0, FailedJoins - now) + (Connections * _connectionWeight);
    }
}
