using System.Net;
using ChannelServer.Relay;
using ChannelServer.Reputation;

namespace ChannelServer.Admission;

/// <summary>
/// Hears how sessions end, between the shards and the telemetry: charges failed joins to the address that tried, and reports addresses that
/// misbehave to the reputation service.
/// </summary>
/// <param name="next">Hears everything too.</param>
/// <param name="limiter">Counts failed joins.</param>
/// <param name="violations">Takes reports; null when there is no reputation service.</param>
internal sealed class AbuseWatch(IRelayObserver next, AddressLimiter limiter, ViolationReporter? violations) : IRelayObserver
{
    public void SessionBegan(SessionStart start) => next.SessionBegan(start);

    public void SessionRefused(EndReason reason, IPAddress? address)
    {
        // Not a refused resume: Mozilla's client tries 25 of them after every end that it did not ask for, an expired channel's too, and a few
        // such pages would keep everyone behind their address out.
        bool isFailedJoin = reason is EndReason.ChannelUnavailable or EndReason.AddressUnknown or EndReason.ChannelFull;
        if (isFailedJoin && limiter.FailJoin(ClientNetwork.Of(address)))
            violations?.Report(address);
        next.SessionRefused(reason, address);
    }

    public void SessionEnded(in SessionEnd session)
    {
        if (IsViolation(session))
            violations?.Report(session.Address);
        next.SessionEnded(session);
    }

    public void SeatHeld() => next.SeatHeld();

    public void SeatReleased(bool resumed) => next.SeatReleased(resumed);

    public void Replayed(int envelopes) => next.Replayed(envelopes);

    public void ChannelEnded(EndReason reason, ChannelOutcome outcome) => next.ChannelEnded(reason, outcome);

    public void Failed(Exception exception) => next.Failed(exception);

    private static bool IsViolation(in SessionEnd session) => session.Reason switch
    {
        // The whole channel ends; who only listened has done nothing.
        EndReason.DataLimit or EndReason.ExchangeLimit => session.Messages > 0,
        EndReason.ControlRate or EndReason.TooManyFragments or EndReason.ProtocolError or EndReason.KeptFull => true,
        _ => false,
    };
}
