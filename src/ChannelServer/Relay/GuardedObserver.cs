using System.Net;

namespace ChannelServer.Relay;

/// <summary>
/// Keeps the faults of an observer away from the shard: it is called in the midst of ends and beginnings, and a session must not
/// be left half ended because somebody could not write a log line.
/// </summary>
#pragma warning disable CA1031 // Any fault, for that reason.
internal sealed class GuardedObserver(IRelayObserver observer) : IRelayObserver
{
    public void SessionBegan(bool opened)
    {
        try
        {
            observer.SessionBegan(opened);
        }
        catch (Exception fault)
        {
            Failed(fault);
        }
    }

    public void SessionRefused(EndReason reason, IPAddress? address)
    {
        try
        {
            observer.SessionRefused(reason, address);
        }
        catch (Exception fault)
        {
            Failed(fault);
        }
    }

    public void SessionEnded(in SessionEnd session)
    {
        try
        {
            observer.SessionEnded(session);
        }
        catch (Exception fault)
        {
            Failed(fault);
        }
    }

    public void ChannelEnded(EndReason reason)
    {
        try
        {
            observer.ChannelEnded(reason);
        }
        catch (Exception fault)
        {
            Failed(fault);
        }
    }

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
}
