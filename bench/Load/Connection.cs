namespace ChannelServer.Bench;

/// <summary>One client of the generator: a socket, what is half read, what is half written, and its place in a pair.</summary>
internal sealed class Connection(int slot, uint generation, int fd, Pair pair)
{
    public int Slot { get; } = slot;

    /// <summary>Tells this connection from an earlier one in the same slot, whose events may still be in the batch.</summary>
    public uint Generation { get; } = generation;

    public int Fd { get; } = fd;
    public Pair Pair { get; } = pair;
    public ConnectionState State { get; set; }

    /// <summary>Octets of one envelope as received here, once the first one has been checked in full.</summary>
    public int EnvelopeLength { get; set; }

    /// <summary>When the messages now on their way here were due to be sent, in ticks of the stopwatch; fixed rate only.</summary>
    public Queue<long>? Due { get; set; }

    /// <summary>Messages counted by the scenario.</summary>
    public int Count { get; set; }

    public byte[] Rest { get; set; } = [];
    public int RestLength { get; set; }
    public byte[] Pending { get; set; } = [];
    public int PendingLength { get; set; }
    public bool Blocked { get; set; }

    public Connection Peer => Pair.First == this ? Pair.Second! : Pair.First!;
}

internal enum ConnectionState
{
    Upgrading,
    AwaitingGreeting,
    Open,
    Closing,
    CloseEchoed,
    Closed,
}

/// <summary>Two connections in one channel.</summary>
internal sealed class Pair(int index)
{
    public int Index { get; } = index;
    public Connection? First { get; set; }
    public Connection? Second { get; set; }
}
