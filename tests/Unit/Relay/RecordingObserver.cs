using System.Net;
using ChannelServer.Relay;

namespace ChannelServer.Tests.Relay;

/// <summary>Keeps what a shard tells.</summary>
internal sealed class RecordingObserver : IRelayObserver
{
    public int Opened { get; private set; }

    public int Joined { get; private set; }

    public List<(EndReason Reason, IPAddress? Address)> Refused { get; } = [];

    public List<SessionEnd> Ended { get; } = [];

    public List<EndReason> ChannelsEnded { get; } = [];

    public List<ChannelOutcome> Outcomes { get; } = [];

    public int Resumed { get; private set; }

    /// <summary>Seats held now.</summary>
    public int Held { get; private set; }

    /// <summary>Held seats that were given up.</summary>
    public int GivenUp { get; private set; }

    public int Replayed { get; private set; }

    public List<Exception> Failures { get; } = [];

    /// <summary>Thrown from the next call that is no report of a failure.</summary>
    public Exception? Fault { get; set; }

    public void SessionBegan(SessionStart start)
    {
        switch (start)
        {
            case SessionStart.Opened:
                Opened++;
                break;
            case SessionStart.Joined:
                Joined++;
                break;
            default:
                Resumed++;
                break;
        }
        ThrowFault();
    }

    public void SessionRefused(EndReason reason, IPAddress? address)
    {
        Refused.Add((reason, address));
        ThrowFault();
    }

    public void SessionEnded(in SessionEnd session)
    {
        Ended.Add(session);
        ThrowFault();
    }

    public void SeatHeld()
    {
        Held++;
        ThrowFault();
    }

    public void SeatReleased(bool resumed)
    {
        Held--;
        GivenUp += resumed ? 0 : 1;
        ThrowFault();
    }

    void IRelayObserver.Replayed(int envelopes)
    {
        Replayed += envelopes;
        ThrowFault();
    }

    public void ChannelEnded(EndReason reason, ChannelOutcome outcome)
    {
        ChannelsEnded.Add(reason);
        Outcomes.Add(outcome);
        ThrowFault();
    }

    public void Failed(Exception exception) => Failures.Add(exception);

    private void ThrowFault()
    {
        if (Fault is not { } fault)
            return;
        Fault = null;
        throw fault;
    }
}
