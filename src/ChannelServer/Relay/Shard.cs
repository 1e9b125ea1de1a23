using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>Fills a span with octets that nobody can guess. The core has no entropy of its own.</summary>
internal delegate void RandomSource(Span<byte> octets);

/// <summary>
/// A set of channels and all their sessions, as one plain state machine: bytes and facts in, bytes and phases out. It does no I/O,
/// has no clock and no lock; whoever drives it calls one method at a time, sets the time with <see cref="Advance"/>, and after
/// each call serves every session that <see cref="TryTakeTouched"/> names.
/// </summary>
/// <param name="index">Which of the shards this is.</param>
/// <param name="shards">How many there are: an id belongs to the shard that <see cref="ChannelId.ShardOf"/> names.</param>
/// <param name="limits">The limits to keep.</param>
/// <param name="observer">Hears of begins and ends.</param>
/// <param name="random">Where channel ids come from.</param>
internal sealed partial class Shard(int index, int shards, Limits limits, IRelayObserver observer, RandomSource random)
{
    /// <summary>Envelopes waiting for one session after which <see cref="Receive"/> asks for a flush.</summary>
    private const int PressureMessages = 32;

    /// <summary>Octets waiting for one session after which <see cref="Receive"/> asks for a flush.</summary>
    private const int PressureOctets = 32 * 1024;

    private readonly FrameLimits _frameLimits = new(limits.MaxMessage, limits.MaxFragments, AcceptsBinary: false);
    private readonly GuardedObserver _observer = new(observer);
    private readonly BufferPool _buffers = new();
    private readonly BufferPool _kept = new();
    private readonly Dictionary<ChannelId, Channel> _channels = [];
    private readonly Stack<Session> _touched = new();
    private readonly Envelope _envelope = new();
    private readonly Frames _frames = new();
    private readonly PartialMessagePool _partials = new(new BufferPool());
    private bool _isUnderPressure;

    /// <summary>Which of the shards this is.</summary>
    public int Index => index;

    /// <summary>The time that all deadlines are measured by: monotonic, since the driver started.</summary>
    public TimeSpan Now { get; private set; }

    /// <summary>Sessions that have a seat.</summary>
    public int SessionCount { get; private set; }

    /// <summary>Channels that exist.</summary>
    public int ChannelCount => _channels.Count;

    /// <summary>Seats that are held for clients whose connection was lost.</summary>
    public int HeldCount { get; private set; }

    /// <summary>Buffers and partial messages that sessions hold; zero once all of them are finished.</summary>
    public int BuffersLent => _buffers.Lent + _partials.Lent;

    /// <summary>Buffers of envelopes and messages that are kept for somebody; zero once all channels are gone.</summary>
    public int KeptBuffersLent => _kept.Lent;

    /// <summary>Leaves the buffers that it keeps for reuse to the collector. What sessions and seats hold stays.</summary>
    public void ReleaseBuffers()
    {
        _buffers.Release();
        _kept.Release();
        _partials.Release();
    }

    /// <summary>The shard that owns a channel, or this one for a text that is no id: some shard has to refuse it.</summary>
    public int OwnerOf(ReadOnlySpan<byte> id) => ChannelId.TryParse(id, out ChannelId channel) ? channel.ShardOf(shards) : index;

    /// <summary>Opens a new channel for a session that has just begun.</summary>
    /// <param name="session">A new session.</param>
    /// <param name="visitor">Who it is.</param>
    /// <param name="head">Bytes to send before all frames: the upgrade response.</param>
    public void Open(Session session, in Visitor visitor, ReadOnlySpan<byte> head)
    {
        try
        {
            bool expires = limits.ConnLifespan > TimeSpan.Zero;
            Channel channel = new() { Id = DrawId(), ExpiresAt = expires ? Now + limits.ConnLifespan : TimeSpan.MaxValue };
            Seat seat = channel.Sit(visitor, DrawToken());
            _channels.Add(channel.Id, channel);
            AwaitExpiry(channel);
            Begin(session, visitor, head, seat, SessionStart.Opened);
        }
#pragma warning disable CA1031 // A bug met by one channel must cost no other channel anything.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            Fail(session, bug);
        }
    }

    /// <summary>Brings a session that has just begun into the channel that it names, or tells it why not.</summary>
    /// <param name="session">A new session.</param>
    /// <param name="id">What stands for the channel in the path; anything.</param>
    /// <param name="visitor">Who it is.</param>
    /// <param name="head">Bytes to send before all frames: the upgrade response.</param>
    public void Join(Session session, ReadOnlySpan<byte> id, in Visitor visitor, ReadOnlySpan<byte> head)
    {
        bool exists = ChannelId.TryParse(id, out ChannelId channelId) & _channels.TryGetValue(channelId, out Channel? channel);
        Seat? yielding = null;
        EndReason refusal = exists ? channel!.Admit(visitor.Address, limits, out yielding) : EndReason.ChannelUnavailable;
        if (refusal != EndReason.None)
        {
            Refuse(session, visitor, head, refusal);
            return;
        }
        try
        {
            TakeSeat(session, visitor, head, channel!, yielding);
        }
#pragma warning disable CA1031 // As above.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            Fail(session, bug, channel);
        }
    }

    private void TakeSeat(Session session, in Visitor visitor, ReadOnlySpan<byte> head, Channel channel, Seat? yielding)
    {
        Seat opener = channel.FirstSeat!;
        Seat seat = channel.Sit(visitor, DrawToken());
        // Behind the new seat, or the channel could end with its last one.
        if (yielding is not null)
            GiveUpHeld(yielding);
        Begin(session, visitor, head, seat, SessionStart.Joined);
        GiveKept(opener, seat);
        Announce(seat, PeerState.Joined);
    }

    /// <summary>Answers a session that has just begun with nothing but a close frame.</summary>
    public void Refuse(Session session, in Visitor visitor, ReadOnlySpan<byte> head, EndReason refusal)
    {
        session.Introduce(visitor);
        session.EndedBy = refusal;
        session.Outbox.AppendHead(head, _buffers);
        _observer.SessionRefused(refusal, visitor.Address);
        Close(session, refusal, refusal.Code());
    }

    /// <summary>Takes in what a session's socket has received.</summary>
    /// <param name="session">The session.</param>
    /// <param name="input">The bytes; they are changed.</param>
    /// <returns>
    /// Octets consumed. When it is fewer than there are, a receiver's queue wants to be written before there is more for it: serve
    /// the touched sessions and hand in the rest.
    /// </returns>
    public int Receive(Session session, Span<byte> input)
    {
        try
        {
            if (session.Phase == SessionPhase.Open)
                return ReceiveOpen(session, input);
            if (session.Phase != SessionPhase.Finished)
                ReceiveBehindEnd(session, input);
            return input.Length;
        }
#pragma warning disable CA1031 // A bug met by one channel must cost no other channel anything.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            Fail(session, bug);
            return input.Length;
        }
    }

    /// <summary>The client's direction of the connection has ended. Harmless when repeated.</summary>
    public void InputEnded(Session session)
    {
        if (session.Phase == SessionPhase.Open)
            Vanish(session);
        else if (session.Phase == SessionPhase.Lingering)
            Leave(session);
    }

    /// <summary>The connection is broken; nothing can be sent any more. Harmless when repeated.</summary>
    public void Broken(Session session)
    {
        if (session.Phase == SessionPhase.Open)
            Vanish(session);
        else if (session.Phase != SessionPhase.Finished)
            Finish(session);
    }

    /// <summary>
    /// Nothing can be sent any more, but what the client has sent may not all have been handed in yet: the driver reads on, and reports the
    /// end of that. Harmless when repeated.
    /// </summary>
    public void OutputBroken(Session session)
    {
        if (session.Phase == SessionPhase.Open)
        {
            session.Outbox.Shut(_buffers);
            TrackStall(session, progressed: false);
        }
        else if (session.Phase != SessionPhase.Finished)
        {
            Finish(session);
        }
    }

    /// <summary>A bug of the driver showed while it served the session: it goes, as if its client had.</summary>
    public void Failed(Session session, Exception bug)
    {
        _observer.Failed(bug);
        ForgetNews();
        Broken(session);
    }

    /// <summary>
    /// The socket has accepted octets of <see cref="Session.Unsent"/>. When some remain, the socket takes no more for now, and the
    /// session counts as stalled until a later call reports progress.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="octets">How many; may be zero.</param>
    public void Sent(Session session, int octets)
    {
        if (session.Phase == SessionPhase.Finished)
            return;
        session.Outbox.Advance(octets, _buffers);
        if (session.Phase == SessionPhase.Open)
            TrackStall(session, octets > 0);
        else if (session.Phase == SessionPhase.Leaving && session.Outbox.IsEmpty)
            Finish(session);
    }

    /// <summary>The socket takes no more for now, but its client has taken some of what it took before: the session is slow, not stuck.</summary>
    public void Progressed(Session session)
    {
        if (session.Phase == SessionPhase.Open)
            TrackStall(session, progressed: true);
    }

    /// <summary>The socket takes more again: the session is served with the others that have something to write.</summary>
    public void Writable(Session session)
    {
        if (session.Phase != SessionPhase.Finished)
            Touch(session);
    }

    /// <summary>Names a session that has something to write, or whose phase has changed.</summary>
    public bool TryTakeTouched(out Session session)
    {
        if (!_touched.TryPop(out session!))
            return false;
        session.IsTouched = false;
        if (session.Seat is { } seat)
            Seal(session, seat);
        return true;
    }

    private int ReceiveOpen(Session session, Span<byte> input)
    {
        int position = 0;
        _isUnderPressure = false;
        // At the end of the input the reader is asked once more, whatever the pressure: it gives back what it has delivered.
        while (session.Phase == SessionPhase.Open && !(_isUnderPressure && position < input.Length))
        {
            FrameEvent found = session.Reader.Read(input[position..], _frameLimits, _partials, out int consumed, out Span<byte> payload);
            position += consumed;
            if (found == FrameEvent.NeedMore)
            {
                session.Reader.NotePart(Now);
                if (session.Reader.PartOctets > Share)
                    ShedPart(session);
                return position;
            }
            NoteLife(session);
            Handle(session, found, payload);
        }
        if (session.Phase == SessionPhase.Open)
            return position;
        // The session's own message may have ended it. The client's close frame can stand in the same read.
        if (session.Phase == SessionPhase.Lingering && !session.IsGarbled)
            AwaitClose(session, input[position..]);
        return input.Length;
    }

    /// <summary>
    /// What comes behind the end is read, since closing on unread bytes would reset the close frame away; but not without bound, or a
    /// flood would keep a core busy until the close timeout.
    /// </summary>
    private void ReceiveBehindEnd(Session session, Span<byte> input)
    {
        session.BehindEnd += input.Length;
        if (session.BehindEnd > limits.OctetsBehindEnd)
            Finish(session);
        else if (session.Phase == SessionPhase.Lingering && !session.IsGarbled)
            AwaitClose(session, input);
    }

    /// <summary>After the server's close frame only the client's is of interest, which says that nothing more will come, and pongs before it.</summary>
    private void AwaitClose(Session session, Span<byte> input)
    {
        while (true)
        {
            FrameEvent found = session.Reader.Read(input, _frameLimits, _partials, out int consumed, out Span<byte> payload);
            input = input[consumed..];
            if (found == FrameEvent.NeedMore)
                return;
            if (found == FrameEvent.Pong)
                HandleLatePong(session, payload);
            session.IsGarbled = found > FrameEvent.Close;
            if (found == FrameEvent.Close)
                Leave(session);
            if (found >= FrameEvent.Close)
                return;
        }
    }

    private void Touch(Session session)
    {
        if (session.IsTouched)
            return;
        session.IsTouched = true;
        _touched.Push(session);
    }

    private ChannelId DrawId()
    {
        Span<byte> octets = stackalloc byte[ChannelId.Octets];
        while (true)
        {
            random(octets);
            ChannelId id = new(octets);
            if (id.ShardOf(shards) == index && !_channels.ContainsKey(id))
                return id;
        }
    }
}
