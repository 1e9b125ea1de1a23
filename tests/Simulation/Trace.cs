using System.Text;

namespace ChannelServer.Simulation;

internal enum TraceKind : byte
{
    Opened,
    Joined,
    Resumed,
    Refused,
    Seated,
    Received,
    Sent,
    InputEnded,
    OutputBroken,
    Broken,
    Advanced,
    Stopping,
    Heard,
    Act,
    Saw,
    Cut,
    Vanished,
    ClientReset,
    NetworkReset,
    HalfClosed,
    ServerHalfClosed,
    Released,
    Calm,
}

/// <summary>
/// What happened in a world: the last of it in words when it fails, all of it as one number, so that two runs of a seed can be compared.
/// </summary>
internal sealed class Trace
{
    private const int Kept = 32 * 1024;

    private readonly Entry[] _entries = new Entry[Kept];
    private long _count;

    /// <summary>All that was ever added, folded.</summary>
    public ulong Hash { get; private set; } = 14695981039346656037;

    public long Count => _count;

    public void Reset() => (_count, Hash) = (0, 14695981039346656037);

    public void Add(TimeSpan at, TraceKind kind, int connection, long first = 0, long second = 0)
    {
        _entries[_count++ % Kept] = new Entry(at, kind, connection, first, second);
        Fold((ulong)at.Ticks);
        Fold(((ulong)kind << 32) | (uint)connection);
        Fold((ulong)first);
        Fold((ulong)second);
    }

    /// <summary>The last lines that concern the given connections; all connections when there are none.</summary>
    public string Tell(IReadOnlyCollection<int> connections, int lines)
    {
        List<string> told = [];
        for (long i = _count - 1; i >= 0 && i >= _count - Kept && told.Count < lines; i--)
        {
            Entry entry = _entries[i % Kept];
            bool isAsked = connections.Count == 0 || connections.Contains(entry.Connection);
            if (isAsked && entry.Kind != TraceKind.Advanced)
                told.Add(entry.Tell());
        }
        told.Reverse();
        return string.Join('\n', told);
    }

    private void Fold(ulong value) => Hash = (Hash ^ value ^ (value >> 29)) * 1099511628211;

    private readonly record struct Entry(TimeSpan At, TraceKind Kind, int Connection, long First, long Second)
    {
        public string Tell()
        {
            StringBuilder line = new();
            line.Append($"{At.TotalSeconds,12:F6} s  ");
            line.Append(Connection < 0 ? "server  " : $"#{Connection,-6} ");
            line.Append(Kind switch
            {
                TraceKind.Opened => $"opens a channel (head of {First})",
                TraceKind.Joined => $"joins (head of {First}, id of {Second} characters)",
                TraceKind.Resumed => $"wants its seat back (head of {First}, id of {Second} characters)",
                TraceKind.Refused => "is refused",
                TraceKind.Seated => $"sits in channel {First}",
                TraceKind.Received => $"core received {First} octets, consumed {Second}",
                TraceKind.Sent => $"socket accepted {First} octets of {Second}",
                TraceKind.InputEnded => "client's direction ended",
                TraceKind.OutputBroken => "nothing can be written to it any more",
                TraceKind.Broken => "connection is broken",
                TraceKind.Advanced => $"time advanced, {First} sessions live, {Second} channels",
                TraceKind.Stopping => "the server ends the oldest channels",
                TraceKind.Heard => $"observer heard {(HeardKind)(First >> 8)} {(Relay.EndReason)(First & 0xFF)} (code {Second})",
                TraceKind.Act => $"client acts: {(Temperament)First}, {Second} octets to send",
                TraceKind.Saw => $"client saw opcode {First} with {Second} octets",
                TraceKind.Cut => $"client's connection is cut: {(Cut)First}",
                TraceKind.Vanished => "client vanishes",
                TraceKind.ClientReset => "client resets",
                TraceKind.NetworkReset => "network resets",
                TraceKind.HalfClosed => "client ends its direction",
                TraceKind.ServerHalfClosed => "server ends its direction",
                TraceKind.Released => "server releases the socket",
                TraceKind.Calm => "faults are off",
                _ => $"{Kind} {First} {Second}",
            });
            return line.ToString();
        }
    }
}
