using System.Net;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

internal enum HeardKind : byte
{
    Began,
    Refused,
    Ended,
    ChannelEnded,
}

/// <summary>One call of the observer.</summary>
internal readonly record struct Heard(
    HeardKind Kind, EndReason Reason = EndReason.None, ushort Code = 0, TimeSpan Length = default, int Messages = 0,
    IPAddress? Address = null, bool Opened = false)
{
    public override string ToString() => Kind == HeardKind.Began
        ? $"Began (opened: {Opened})"
        : $"{Kind} by {Reason} (code {Code}, {Messages} messages, after {Length.TotalSeconds:F6} s)";
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
        Heard.Add(new Heard(HeardKind.Began, Opened: start == SessionStart.Opened));
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

    public void SeatHeld()
    {
    }

    public void SeatReleased(bool resumed)
    {
    }

    public void Replayed(int envelopes)
    {
    }

    public void ChannelEnded(EndReason reason, ChannelOutcome outcome) => Heard.Add(new Heard(HeardKind.ChannelEnded, reason));

    public void Failed(Exception exception) => Bug = exception;
}
