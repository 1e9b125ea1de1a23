namespace ChannelServer.Relay;

/// <summary>A room: its seats, what was relayed through it, who may still come.</summary>
internal sealed class Channel
{
    internal DeadlineLink<Channel> LifespanLink;
    private AddressKey _firstAddress;
    private AddressKey _secondAddress;
    private int _joins;
    private int _exchanges;
    private long _octets;

    public ChannelId Id { get; init; }

    /// <summary>The first of the linked seats; null when all are gone.</summary>
    public Seat? FirstSeat { get; private set; }

    public int SeatCount { get; private set; }

    /// <summary>Whether a newcomer may sit down.</summary>
    /// <returns><see cref="EndReason.None"/>, or why not.</returns>
    public EndReason Admit(AddressKey address, Limits limits)
    {
        // The two first participants may come from anywhere; whoever comes later must have been here. The order of the two tests
        // matters: a stranger is not told that the channel exists.
        bool isKnown = address.Matches(_firstAddress) || address.Matches(_secondAddress);
        if (_joins >= 2 && !isKnown)
            return EndReason.AddressUnknown;
        return SeatCount >= limits.MaxChannelConnections ? EndReason.ChannelFull : EndReason.None;
    }

    /// <summary>Gives a seat to a session that was admitted.</summary>
    public Seat Sit(Session session, AddressKey address)
    {
        if (_joins == 0)
            _firstAddress = address;
        else if (_joins == 1)
            _secondAddress = address;
        _joins++;

        Seat seat = new(this, session);
        if (FirstSeat is null)
        {
            FirstSeat = seat;
        }
        else
        {
            Seat last = FirstSeat;
            while (last.Next is not null)
                last = last.Next;
            last.Next = seat;
        }
        SeatCount++;
        return seat;
    }

    /// <summary>Takes a seat away.</summary>
    public void Leave(Seat seat)
    {
        if (FirstSeat == seat)
        {
            FirstSeat = seat.Next;
        }
        else
        {
            Seat before = FirstSeat!;
            while (before.Next != seat)
                before = before.Next!;
            before.Next = seat.Next;
        }
        SeatCount--;
    }

    /// <summary>Counts a message that is about to be relayed.</summary>
    /// <returns><see cref="EndReason.None"/>, or the limit that the message would break; then nothing is counted.</returns>
    public EndReason Count(Seat sender, int octets, Limits limits)
    {
        if (limits.MaxExchanges > 0 && _exchanges >= limits.MaxExchanges)
            return EndReason.ExchangeLimit;
        if (limits.MaxData > 0 && _octets + octets > limits.MaxData)
            return EndReason.DataLimit;
        _exchanges++;
        _octets += octets;
        sender.Accepted++;
        return EndReason.None;
    }

    /// <summary>For the list of lifespans.</summary>
    internal readonly struct Lifespan : IDeadlineLink<Channel>
    {
        public static ref DeadlineLink<Channel> Of(Channel item) => ref item.LifespanLink;
    }
}
