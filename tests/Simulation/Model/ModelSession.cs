using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>When something is due, and which of those due at one time was set first.</summary>
internal struct Alarm()
{
    public TimeSpan Due { get; private set; } = TimeSpan.MaxValue;

    public long Order { get; private set; }

    public readonly bool IsSet => Order > 0;

    public void Set(TimeSpan due, long order) => (Due, Order) = (due, order);

    public void Clear() => (Due, Order) = (TimeSpan.MaxValue, 0);
}

/// <summary>A session as the model knows it.</summary>
internal sealed class ModelSession(int number)
{
    public Alarm Ping = new();
    public Alarm Silence = new();
    public Alarm Stall = new();
    public Alarm Cut = new();

    private int _frame;
    private int _offset;

    public int Number { get; } = number;

    public Person Person { get; set; } = Person.Nobody;

    public ClientStream? Stream { get; set; }

    public SessionPhase Phase { get; set; }

    public EndReason Reason { get; set; }

    public ProtocolVersion Version { get; set; }

    /// <summary>The seat; null before the session has one and after it lost it.</summary>
    public ModelSeat? Seat { get; set; }

    /// <summary>The seat that it had; null before it had one.</summary>
    public ModelSeat? LeftSeat { get; set; }

    /// <summary>The number in the ping behind the greeting of a resumed session; -1 when there was none.</summary>
    public int GreetingPing { get; set; } = -1;

    public TimeSpan Began { get; set; }

    public int Accepted { get; set; }

    /// <summary>The control frames' bucket: octets spent, times ten million, so that no time is lost to rounding.</summary>
    public Int128 ControlSpent { get; set; }

    public TimeSpan ControlAt { get; set; }

    public bool IsStalled { get; set; }

    /// <summary>Whether a write was stuck, so that the time to read the close frame is short.</summary>
    public bool IsLastChance { get; set; }

    /// <summary>Whether nothing reaches the client any more.</summary>
    public bool IsDeaf { get; private set; }

    /// <summary>All that the client is to see, from the first octet on.</summary>
    public List<ModelFrame> Frames { get; } = [];

    /// <summary>Octets that the socket has not accepted.</summary>
    public int Pending { get; private set; }

    /// <summary>Text frames of which the socket has not accepted the last octet.</summary>
    public int PendingMessages { get; private set; }

    /// <summary>Where in the list of unfinished sessions it stands.</summary>
    public int Index { get; set; } = -1;

    /// <summary>Whether the driver has something to learn about it.</summary>
    public bool IsChanged { get; set; }

    public void Queue(ModelFrame frame)
    {
        SimulationFailure.Unless(Phase == SessionPhase.Open, "The model sends after the end", Number);
        if (IsDeaf)
            return;
        Frames.Add(frame);
        Pending += frame.Size;
        if (frame.Opcode == ModelFrame.Text)
            PendingMessages++;
    }

    /// <summary>From now on the client sees nothing more.</summary>
    public void GoDeaf()
    {
        IsDeaf = true;
        Pending = PendingMessages = 0;
    }

    /// <summary>Compares octets that the socket has accepted with the next ones that the client is to see.</summary>
    public void Write(ReadOnlySpan<byte> octets)
    {
        SimulationFailure.Unless(octets.Length <= Pending, "The socket got more octets than the client is to see", Number);
        Pending -= octets.Length;
        while (!octets.IsEmpty)
        {
            ModelFrame frame = Frames[_frame];
            bool inHeader = _offset < frame.Header.Length;
            ReadOnlySpan<byte> expected = inHeader ? frame.Header.AsSpan(_offset) : frame.Payload.AsSpan(_offset - frame.Header.Length);
            expected = expected[..Math.Min(expected.Length, octets.Length)];
            SimulationFailure.Unless(octets.StartsWith(expected),
                $"The socket got other octets than the client is to see, in frame {_frame} of opcode {frame.Opcode}", Number);
            octets = octets[expected.Length..];
            _offset += expected.Length;
            if (_offset < frame.Size)
                continue;
            if (frame.Opcode == ModelFrame.Text)
                PendingMessages--;
            _frame++;
            _offset = 0;
        }
    }
}
