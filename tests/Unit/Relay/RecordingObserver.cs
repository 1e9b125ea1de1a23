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

    public List<Exception> Failures { get; } = [];

    /// <summary>Thrown from the next call that is no report of a failure.</summary>
    public Exception? Fault { get; set; }

    public void SessionBegan(bool opened)
    {
        if (opened)
            Opened++;
        else
            Joined++;
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

    public void ChannelEnded(EndReason reason)
    {
        ChannelsEnded.Add(reason);
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
