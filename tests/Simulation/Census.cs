using System.Reflection;
using System.Runtime.CompilerServices;
using ChannelServer.Relay;
using ChannelServer.WebSockets;

namespace ChannelServer.Simulation;

/// <summary>
/// Counts what the core holds and compares it with what the model says it may hold: every seat, octet, buffer and deadline. It looks at
/// fields that the core keeps to itself, so that the core needs no code for its tests.
/// </summary>
internal sealed class Census(Shard core, ModelServer model, World world)
{
    public static int DeadlinesPerAdvance { get; } =
        (int)typeof(Shard).GetField("DeadlinesPerAdvance", BindingFlags.NonPublic | BindingFlags.Static)!.GetRawConstantValue()!;

    /// <summary>Whether a session is between two parts of one read, and may hold the message that it has just delivered.</summary>
    public bool IsWithinRead { get; set; }

    public void CheckAll()
    {
        int waiting = 0;
        int midway = 0;
        int ending = 0;
        foreach (ModelSession session in model.Unfinished)
        {
            CheckSession(world.Connections[session.Number]);
            waiting += session.Pending > 0 ? 1 : 0;
            if (session.Phase != SessionPhase.Open)
                ending++;
            else if (session.Stream!.IsMidway)
                midway++;
        }
        Equal(Outboxes(core).Lent, waiting, "buffers of outboxes are lent");
        Equal(core.HeldCount, model.Held, "seats are held");
        Equal(core.KeptBuffersLent, model.Keeping, "buffers of kept messages are lent");
        int partials = Partials(core).Lent;
        // Who is ending may keep its last message a little longer.
        int most = midway + ending + (IsWithinRead ? 1 : 0);
        SimulationFailure.Unless(partials >= midway && partials <= most,
            $"{partials} partial messages are lent, with {midway} clients in the middle of one and {ending} ending");

        DeadlineCounts counts = model.Counts;
        Equal(Expiries(core).Count(), counts.Notices, "notices of an end stand");
        Equal(Lifespans(core).Count(), counts.Lifespans - counts.Notices, "lifespans stand");
        Equal(Holds(core).Count(), counts.Windows, "windows stand");
        Equal(Heartbeats(core).Count(), counts.Heartbeats, "heartbeats stand");
        Equal(Stalls(core).Count(), counts.Stalls, "stalled writes stand");
        Equal(Closings(core).Count() + LastChances(core).Count(), counts.Closings, "closings stand");
        Equal(Silences(core).Count(), counts.Silences, "client timeouts stand");
        SimulationFailure.Unless(core.NextDeadline == model.NextDeadline,
            $"The next deadline is {core.NextDeadline}, not {model.NextDeadline}");
    }

    public static void CheckSession(Connection connection)
    {
        ModelSession expected = connection.Model;
        Session session = connection.Session;
        int number = connection.Number;
        SimulationFailure.Unless(session.Phase == expected.Phase, $"The phase is {session.Phase}, not {expected.Phase}", number);
        SimulationFailure.Unless(session.EndedBy == expected.Reason, $"The end is {session.EndedBy}, not {expected.Reason}", number);
        SimulationFailure.Unless(session.Seat is null == expected.Seat is null, "The seat outlives the session, or the other way round", number);
        int pending = expected.Phase == SessionPhase.Finished ? 0 : expected.Pending;
        SimulationFailure.Unless(session.Unsent.Length == pending, $"{session.Unsent.Length} octets are unsent, not {pending}", number);
    }

    public void RequireAllReturned()
    {
        Equal(core.HeldCount, 0, "seats are held");
        Equal(core.KeptBuffersLent, 0, "buffers of kept messages are lent");
        Equal(Outboxes(core).Lent, 0, "buffers of outboxes are lent");
        Equal(Partials(core).Lent, 0, "partial messages are lent");
        Equal(BuffersOf(Partials(core)).Lent, 0, "buffers of partial messages are lent");
    }

    private static void Equal(int found, int expected, string what) =>
        SimulationFailure.Unless(found == expected, $"{found} {what}, not {expected}");

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_buffers")]
    private static extern ref BufferPool Outboxes(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_partials")]
    private static extern ref PartialMessagePool Partials(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<buffers>P")]
    private static extern ref BufferPool BuffersOf(PartialMessagePool pool);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_lifespans")]
    private static extern ref DeadlineList<Channel, Channel.Lifespan> Lifespans(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_expiries")]
    private static extern ref DeadlineList<Channel, Channel.Lifespan> Expiries(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_holds")]
    private static extern ref DeadlineList<SeatHold, SeatHold.Window> Holds(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_heartbeats")]
    private static extern ref DeadlineList<Session, Session.Pulse> Heartbeats(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_stalls")]
    private static extern ref DeadlineList<Session, Session.Pulse> Stalls(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_closings")]
    private static extern ref DeadlineList<Session, Session.Pulse> Closings(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_lastChances")]
    private static extern ref DeadlineList<Session, Session.Pulse> LastChances(Shard core);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_silences")]
    private static extern ref DeadlineList<Session, Session.Silence> Silences(Shard core);
}
