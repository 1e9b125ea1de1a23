using System.Diagnostics;

namespace ChannelServer.Bench;

/// <summary>Each message that arrives is answered by another: one per pair in flight is lockstep, more is pipelined.</summary>
internal sealed class Conversation(LoadLoop loop, int messageSize) : Scenario(loop, messageSize)
{
    public void Start(List<Pair> pairs, int inFlight)
    {
        foreach (Pair pair in pairs)
        {
            for (int i = 0; i < inFlight; i++)
                Loop.Send(pair.First!, Message);
            Underway += inFlight;
        }
    }

    /// <summary>Messages sent and not yet delivered.</summary>
    public int Underway { get; private set; }

    /// <summary>Answers no more, so that what is in flight runs out.</summary>
    public bool Stopped { get; set; }

    protected override void Delivered(Connection receiver)
    {
        Operations++;
        if (Stopped)
            Underway--;
        else
            Loop.Send(receiver, Message);
    }
}

/// <summary>
/// Messages at a fixed rate, evenly spaced, over all pairs in turn and in both directions. A latency runs from when the message was
/// due, not from when it could be sent: a server that stalls is charged for all who had to wait (coordinated omission).
/// </summary>
internal sealed class FixedRate(LoadLoop loop, int messageSize, int perSecond) : Scenario(loop, messageSize)
{
    private readonly double _interval = (double)Stopwatch.Frequency / perSecond;
    private long _sent;

    public LatencyHistogram Latency { get; } = new();

    public void Run(List<Pair> pairs, TimeSpan warmUp, TimeSpan measured, Action begin, Action end)
    {
        long started = Stopwatch.GetTimestamp();
        long begins = started + (long)(warmUp.TotalSeconds * Stopwatch.Frequency);
        long ends = begins + (long)(measured.TotalSeconds * Stopwatch.Frequency);
        bool begun = false;
        for (long now = started; now < ends; now = Stopwatch.GetTimestamp())
        {
            if (!begun && now >= begins)
            {
                begun = true;
                Latency.Clear();
                Operations = 0;
                begin();
            }
            while (true)
            {
                long due = started + (long)(_sent * _interval);
                if (due > now)
                    break;
                Pair pair = pairs[(int)(_sent % pairs.Count)];
                bool forth = _sent / pairs.Count % 2 == 0;
                (forth ? pair.Second! : pair.First!).Due!.Enqueue(due);
                Loop.Send(forth ? pair.First! : pair.Second!, Message);
                _sent++;
            }
            // The generator has a core of its own: it looks all the time rather than sleep past a due message.
            Loop.Turn(0);
        }
        end();
        Loop.RunUntil(() => pairs.TrueForAll(static pair => pair.First!.Due!.Count + pair.Second!.Due!.Count == 0),
            TimeSpan.FromSeconds(2), "messages at a fixed rate");
    }

    protected override void BothOpen(Pair pair)
    {
        pair.First!.Due = new Queue<long>(16);
        pair.Second!.Due = new Queue<long>(16);
    }

    protected override void Delivered(Connection receiver)
    {
        Operations++;
        Latency.Record(Stopwatch.GetTimestamp() - receiver.Due!.Dequeue());
    }
}

/// <summary>Whole pairings, one after the other, several at once: two upgrades, ten messages in turn, two close handshakes.</summary>
internal sealed class Sessions(LoadLoop loop, int messageSize) : Scenario(loop, messageSize)
{
    private const int MessagesEach = 5;

    /// <summary>Begins no more, so that those under way run out.</summary>
    public bool Stopped { get; set; }

    protected override bool ChecksSeparately => false;

    public void Start(int atOnce)
    {
        for (int i = 0; i < atOnce; i++)
            _ = Begin(i);
    }

    public override void Closed(Connection connection)
    {
        if (connection.Peer.State != ConnectionState.Closed)
            return;
        Operations++;
        if (!Stopped)
            _ = Begin(connection.Pair.Index);
    }

    protected override void BothOpen(Pair pair) => Loop.Send(pair.First!, Message);

    protected override void Delivered(Connection receiver)
    {
        // The first speaks first, so the session is over when it has heard its last answer.
        receiver.Count++;
        if (receiver == receiver.Pair.First && receiver.Count == MessagesEach)
        {
            Loop.Close(receiver);
            Loop.Close(receiver.Peer);
            return;
        }
        Loop.Send(receiver, Message);
    }
}

/// <summary>Pairs that have met and fallen silent: only the server's pings pass.</summary>
internal sealed class Idle(LoadLoop loop, int messageSize) : Scenario(loop, messageSize)
{
    protected override void Delivered(Connection receiver) =>
        throw new LoadFailureException("a message that nobody sent");
}
