using System.Net;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

internal enum HeardKind : byte
{
    Began,
    Refused,
    Ended,
    ChannelEnded,
    SeatHeld,
    SeatReleased,
    Replayed,
}

/// <summary>One call of the observer.</summary>
internal readonly record struct Heard(
    HeardKind Kind, EndReason Reason = EndReason.None, ushort Code = 0, TimeSpan Length = default, int Messages = 0,
    IPAddress? Address = null, SessionStart Start = SessionStart.Opened, bool IsResumed = false, ChannelOutcome Outcome = default)
{
    public override string ToString() => Kind switch
    {
        HeardKind.Began => $"Began ({Start})",
        HeardKind.ChannelEnded => $"ChannelEnded by {Reason} ({Outcome})",
        HeardKind.SeatReleased => $"SeatReleased (resumed: {IsResumed})",
        HeardKind.SeatHeld or HeardKind.Replayed => $"{Kind} ({Messages} messages)",
        _ => $"{Kind} by {Reason} (code {Code}, {Messages} messages, after {Length.TotalSeconds:F6} s)",
    };
}

/// <summary>Writes down what the core tells.</summary>
internal sealed class Listener : IRelayObserver
{
    public List<Heard> Heard { get; } = [];

    public int Begun { get; private set; }

    public int Ended { get; private set; }

    public Exception? Bug { get; private set; }

    /// <summary>How often a session ended, or was refused, for each reason.</summary>
    public int[] Reasons { get; } = new int[Enum.GetValues<EndReason>().Length];

    public void SessionBegan(SessionStart start)
    {
        Begun++;
        Heard.Add(new Heard(HeardKind.Began, Start: start));
    }

    public void SessionRefused(EndReason reason, IPAddress? address)
    {
        Reasons[(int)reason]++;
        Heard.Add(new Heard(HeardKind.Refused, reason, Address: address));
    }

    public void SessionEnded(in SessionEnd session)
    {
        Ended++;
        Reasons[(int)session.Reason]++;
        Heard.Add(new Heard(HeardKind.Ended, session.Reason, session.Code, session.Length, session.Messages, session.Address));
    }

    public void SeatHeld() => Heard.Add(new Heard(HeardKind.SeatHeld));

    public void SeatReleased(bool resumed) => Heard.Add(new Heard(HeardKind.SeatReleased, IsResumed: resumed));

    public void Replayed(int envelopes) => Heard.Add(new Heard(HeardKind.Replayed, Messages: envelopes));

    public void ChannelEnded(EndReason reason, ChannelOutcome outcome) =>
        Heard.Add(new Heard(HeardKind.ChannelEnded, reason, Outcome: outcome));

    public void Failed(Exception exception) => Bug = exception;
}
