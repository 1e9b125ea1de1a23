namespace ChannelServer.Simulation;

/// <summary>What can happen next in a world.</summary>
internal enum Happening : byte
{
    /// <summary>A client connects.</summary>
    Arrive,

    /// <summary>A client does what its temperament tells it.</summary>
    Act,

    /// <summary>A client that lost its connection comes back.</summary>
    Return,

    /// <summary>A client looks at what its socket has received.</summary>
    ClientReads,

    /// <summary>Octets arrive at the server's end.</summary>
    DeliverUp,

    /// <summary>Octets arrive at the client's end.</summary>
    DeliverDown,

    /// <summary>A reset arrives at the server's end.</summary>
    ResetUp,

    /// <summary>A reset arrives at the client's end.</summary>
    ResetDown,

    /// <summary>The server's socket takes octets again.</summary>
    Writable,

    /// <summary>The server handles its letters.</summary>
    Turn,

    /// <summary>The server's timer fires.</summary>
    Timer,
}

/// <summary>One entry of the agenda.</summary>
internal readonly record struct Due(TimeSpan At, long Sequence, Happening What, Connection? Whom);

/// <summary>What is to happen, by time; of what falls together, what was entered first. A binary heap.</summary>
internal sealed class Agenda
{
    private Due[] _heap = new Due[64];
    private int _count;
    private long _sequence;

    public void Enter(TimeSpan at, Happening what, Connection? whom)
    {
        if (_count == _heap.Length)
            Array.Resize(ref _heap, 2 * _count);
        Due entry = new(at, _sequence++, what, whom);
        int hole = _count++;
        while (hole > 0 && IsBefore(entry, _heap[(hole - 1) / 2]))
        {
            _heap[hole] = _heap[(hole - 1) / 2];
            hole = (hole - 1) / 2;
        }
        _heap[hole] = entry;
    }

    public bool TryTake(out Due first)
    {
        first = _heap[0];
        if (_count == 0)
            return false;
        Due last = _heap[--_count];
        int hole = 0;
        while (true)
        {
            int child = (2 * hole) + 1;
            if (child + 1 < _count && IsBefore(_heap[child + 1], _heap[child]))
                child++;
            if (child >= _count || !IsBefore(_heap[child], last))
                break;
            _heap[hole] = _heap[child];
            hole = child;
        }
        _heap[hole] = last;
        return true;
    }

    private static bool IsBefore(in Due one, in Due other) =>
        one.At < other.At || (one.At == other.At && one.Sequence < other.Sequence);
}
