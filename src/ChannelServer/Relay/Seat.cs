namespace ChannelServer.Relay;

/// <summary>One participant's place in a channel. Seats of a channel link each other, in the order in which they were taken.</summary>
internal sealed class Seat(Channel channel, Session session)
{
    public Channel Channel { get; } = channel;

    /// <summary>The socket of the participant.</summary>
    public Session Session { get; } = session;

    public Seat? Next { get; set; }

    /// <summary>Messages of this seat that the server has accepted.</summary>
    public int Accepted { get; set; }
}
