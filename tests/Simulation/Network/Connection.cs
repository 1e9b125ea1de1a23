using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>A client, its socket's two directions, the server's session at the other end, and what the model says of it.</summary>
internal sealed class Connection(int number, Client client, int upCapacity, int downCapacity)
{
    public int Number { get; } = number;

    public Client Client { get; } = client;

    public Link Up { get; } = new(upCapacity);

    public Link Down { get; } = new(downCapacity);

    /// <summary>The session of the core.</summary>
    public Session Session { get; } = new SimulatedSession(number);

    /// <summary>The session of the model.</summary>
    public ModelSession Model { get; } = new(number);

    // The server's end, as its driver knows it.
    public bool IsReset { get; set; }
    public bool IsReadPosted { get; set; }
    public bool IsBlocked { get; set; }
    public bool IsWritablePosted { get; set; }
    public bool IsWritableDue { get; set; }
    public bool IsReleased { get; set; }

    /// <summary>Octets handed to a driver's own write buffer and not yet reported as sent.</summary>
    public byte[]? Writing { get; set; }

    public int Written { get; set; }

    /// <summary>Octets that the core has taken in while the session was open.</summary>
    public long UpHeard { get; set; }

    /// <summary>Octets that had arrived when the connection was reset, or its seat claimed by another one; all of them count.</summary>
    public long UpArrived { get; private set; }

    public void NoteArrived()
    {
        if (Session.Phase == SessionPhase.Open)
            UpArrived = Up.Taken + Up.Readable;
    }
}

/// <summary>A session that knows its connection.</summary>
internal sealed class SimulatedSession(int number) : Session
{
    public int Number { get; } = number;
}
