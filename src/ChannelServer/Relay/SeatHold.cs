namespace ChannelServer.Relay;

/// <summary>A seat whose socket is gone, waiting for its client to come back.</summary>
/// <param name="seat">The seat.</param>
/// <param name="endedBy">Why its session ended.</param>
internal sealed class SeatHold(Seat seat, EndReason endedBy)
{
    internal DeadlineLink<SeatHold> WindowLink;

    public Seat Seat { get; } = seat;

    public EndReason EndedBy { get; } = endedBy;

    /// <summary>For the list of held seats.</summary>
    internal readonly struct Window : IDeadlineLink<SeatHold>
    {
        public static ref DeadlineLink<SeatHold> Of(SeatHold item) => ref item.WindowLink;
    }
}
