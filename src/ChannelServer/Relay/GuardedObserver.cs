using System.Net;

namespace ChannelServer.Relay;

/// <summary>
/// Keeps the faults of an observer away from the shard: it is called in the midst of ends and beginnings, and a session must not
/// be left half ended because somebody could not write a log line.
/// </summary>
#pragma warning disable CA1031 // Any fault, for that reason.
internal sealed class GuardedObserver(IRelayObserver observer) : IRelayObserver
{
    public void SessionBegan(SessionStart start) => Tell(start, static (to, start) => to.SessionBegan(start));

    public void SessionRefused(EndReason reason, IPAddress? address) =>
        Tell((reason, address), static (to, refusal) => to.SessionRefused(refusal.reason, refusal.address));

    public void SessionEnded(in SessionEnd session) => Tell(session, static (to, session) => to.SessionEnded(session));

    public void SeatHeld() => Tell(0, static (to, _) => to.SeatHeld());

    public void SeatReleased(bool resumed) => Tell(resumed, static (to, resumed) => to.SeatReleased(resumed));

    public void Replayed(int envelopes) => Tell(envelopes, static (to, envelopes) => to.Replayed(envelopes));

    public void ChannelEnded(EndReason reason, ChannelOutcome outcome) =>
        Tell((reason, outcome), static (to, end) => to.ChannelEnded(end.reason, end.outcome));

    public void Failed(Exception exception)
    {
        try
        {
            observer.Failed(exception);
        }
        catch (Exception)
        {
            // It was the last one to tell.
        }
    }

    private void Tell<T>(T what, Action<IRelayObserver, T> tell)
    {
        try
        {
            tell(observer, what);
        }
        catch (Exception fault)
        {
            Failed(fault);
        }
    }
}
