namespace ChannelServer.Admission;

/// <summary>
/// The place of an admitted connection in all that is counted. Held from the admission until the connection is closed, and given back once,
/// by <see cref="AdmissionControl.Release"/>. <c>default</c> is no ticket.
/// </summary>
internal readonly struct Ticket
{
    // The network, and 0 for no ticket: an unknown address has a mark of its own.
    private readonly ulong _network;

    private const ulong UnknownAddress = ulong.MaxValue;

    public Ticket(ClientNetwork network) => _network = network.IsKnown ? network.Value : UnknownAddress;

    public bool IsValid => _network != 0;

    /// <summary>Whose it is.</summary>
    public ClientNetwork Network => new(_network == UnknownAddress ? 0 : _network);
}
