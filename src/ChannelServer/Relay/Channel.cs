using System.Net;

namespace ChannelServer.Relay;

/// <summary>A room: its seats, what was relayed through it, who may still come.</summary>
internal sealed class Channel
{
    internal DeadlineLink<Channel> LifespanLink;

    /// <summary>What nobody has been there to hear.</summary>
    internal KeptMessages Kept;

    private AddressKey _firstAddress;
    private AddressKey _secondAddress;
    private int _joins;
    private int _exchanges;
    private long _octets;

    public ChannelId Id { get; init; }

    /// <summary>When it ends, whatever happens in it; <see cref="TimeSpan.MaxValue"/> for never.</summary>
    public TimeSpan ExpiresAt { get; init; }

    /// <summary>The first of the linked seats; null when all are gone.</summary>
    public Seat? FirstSeat { get; private set; }

    /// <summary>Seats, live and held.</summary>
    public int SeatCount { get; private set; }

    /// <summary>Whether anybody but the opener has ever been here.</summary>
    public bool HasMet => _joins >= 2;

    /// <summary>Whether all its sessions are being ended: then nobody is told that a peer left.</summary>
    public bool IsEnding { get; set; }

    /// <summary>Whether a seat was ever taken back.</summary>
    public bool HasResumed { get; set; }

    /// <summary>Whether a held seat was given up because its client did not come back in time.</summary>
    public bool HasDropped { get; set; }

    /// <summary>Whether a newcomer may sit down.</summary>
    /// <param name="address">The newcomer's address; null when it is not known.</param>
    /// <param name="limits">The limits to keep.</param>
    /// <param name="yielding">A held seat that has to be given up for that; null when there is room.</param>
    /// <returns><see cref="EndReason.None"/>, or why not.</returns>
    public EndReason Admit(IPAddress? address, Limits limits, out Seat? yielding)
    {
        yielding = null;
        AddressKey key = AddressKey.Of(address);
        // The order of the two tests matters: a stranger is not told that the channel exists.
        if (_joins >= 2 && !IsKnown(key))
            return EndReason.AddressUnknown;
        if (SeatCount < limits.MaxChannelConnections)
            return EndReason.None;
        yielding = LongestHeld(key);
        return yielding is null ? EndReason.ChannelFull : EndReason.None;
    }

    /// <summary>Makes a seat for a visitor who was admitted.</summary>
    public Seat Sit(in Visitor visitor, in ResumeToken token)
    {
        if (_joins == 0)
            _firstAddress = AddressKey.Of(visitor.Address);
        else if (_joins == 1)
            _secondAddress = AddressKey.Of(visitor.Address);
        _joins++;

        Seat seat = new(this, _joins, visitor.Version) { Token = token };
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

    /// <summary>The seat that a token opens. Looks at every seat, so that time does not tell which.</summary>
    public Seat? SeatOf(in ResumeToken token)
    {
        Seat? found = null;
        for (Seat? seat = FirstSeat; seat is not null; seat = seat.Next)
            found = seat.Opens(token) ? seat : found;
        return found;
    }

    /// <summary>Counts a message that is about to be relayed.</summary>
    /// <returns><see cref="EndReason.None"/>, or the limit that the message would break; then nothing is counted.</returns>
    public EndReason Count(Seat sender, int octets, Limits limits)
    {
        if (limits.MaxExchanges > 0 && _exchanges >= limits.MaxExchanges)
            return EndReason.ExchangeLimit;
        if (limits.MaxData > 0 && _octets + octets > limits.MaxData)
            return EndReason.DataLimit;
        if (!HasMet && Kept.IsFull(limits))
            return EndReason.KeptFull;
        _exchanges++;
        _octets += octets;
        sender.Accepted++;
        return EndReason.None;
    }

    /// <summary>What came of it, now that it ends.</summary>
    public ChannelOutcome OutcomeOf(EndReason reason) =>
        !HasMet ? ChannelOutcome.Lonely
        : reason == EndReason.ChannelExpired ? ChannelOutcome.Expired
        : HasDropped ? ChannelOutcome.Dropped
        : _joins > 2 ? ChannelOutcome.Crowded
        : HasResumed ? ChannelOutcome.Resumed
        : ChannelOutcome.Paired;

    /// <summary>The two first participants may come from anywhere; whoever comes later must have been here.</summary>
    private bool IsKnown(AddressKey address)
    {
        bool isKnown = address.Matches(_firstAddress) || address.Matches(_secondAddress);
        for (Seat? seat = FirstSeat; seat is not null && !isKnown; seat = seat.Next)
            isKnown = address.Matches(AddressKey.Of(seat.Address));
        return isKnown;
    }

    private Seat? LongestHeld(AddressKey address)
    {
        Seat? longest = null;
        for (Seat? seat = FirstSeat; seat is not null; seat = seat.Next)
        {
            bool mayYield = seat.Hold is not null && address.Matches(AddressKey.Of(seat.Address));
            if (mayYield && (longest is null || seat.Hold!.WindowLink.Due < longest.Hold!.WindowLink.Due))
                longest = seat;
        }
        return longest;
    }

    /// <summary>For the list of lifespans.</summary>
    internal readonly struct Lifespan : IDeadlineLink<Channel>
    {
        public static ref DeadlineLink<Channel> Of(Channel item) => ref item.LifespanLink;
    }
}
