using ChannelServer.Admission;
using ChannelServer.Relay;

namespace ChannelServer.Transport;

/// <summary>
/// What every driver does with its shard in the same way: seats arrivals, hands bytes in, serves who is touched. Used by whoever has
/// the shard's turn.
/// </summary>
internal sealed class ShardTurn(Shard core)
{
    /// <summary>
    /// Bytes handed in at once. Big enough for what arrives between two turns under load; one per shard, so an idle connection
    /// holds none.
    /// </summary>
    public const int InputSize = 64 * 1024;

    private readonly byte[] _input = GC.AllocateUninitializedArray<byte>(InputSize, pinned: true);
    private volatile bool _isStopping;
    private volatile bool _isAskedToRelease;

    public Shard Core => core;

    /// <summary>What its connections on pipes have received and it has not looked at yet.</summary>
    public UnseenInput Unseen { get; } = new();

    /// <summary>Where a driver may receive, to hand it in with <see cref="Feed"/>.</summary>
    public Span<byte> Input => _input;

    /// <summary>Whether arrivals are refused, since the server stops.</summary>
    public bool IsStopping
    {
        get => _isStopping;
        set => _isStopping = value;
    }

    /// <summary>Whether the buffers that the shard keeps for reuse are to be left to the collector. Set from any thread.</summary>
    public bool IsAskedToRelease
    {
        get => _isAskedToRelease;
        set => _isAskedToRelease = value;
    }

    /// <summary>Leaves them, if that is asked.</summary>
    public void ReleaseIfAsked()
    {
        if (!_isAskedToRelease)
            return;
        _isAskedToRelease = false;
        core.ReleaseBuffers();
        Unseen.ReleaseArrays();
    }

    /// <summary>Opens a channel for an arrival, brings it into the one that it names, or gives it the seat that it claims.</summary>
    public void Seat(Session session, Arrival arrival)
    {
        if (arrival.Visitor.Claim is not null)
            Resume(session, arrival);
        else
            Seat(session, arrival.ChannelId, arrival.Visitor, arrival.Head);
    }

    /// <summary>Opens a channel, or brings a session into the one that it names. Not for a visitor who claims a seat.</summary>
    public void Seat(Session session, ReadOnlySpan<byte> channelId, in Visitor visitor, ReadOnlySpan<byte> head)
    {
        if (_isStopping)
            core.Refuse(session, visitor, head, EndReason.ServerShutdown);
        else if (channelId.IsEmpty)
            core.Open(session, visitor, head);
        else
            core.Join(session, channelId, visitor, head);
        ServeEarly(session);
    }

    /// <summary>
    /// Gives a session the seat that it claims. The connection that has the seat until then is not robbed of anything: what it was to be sent
    /// is sent first, and what it has received is handed in first.
    /// </summary>
    private void Resume(Session session, Arrival arrival)
    {
        if (_isStopping)
        {
            core.Refuse(session, arrival.Visitor, arrival.Head, EndReason.ServerShutdown);
            return;
        }
        ServeTouched();
        if (core.Predecessor(arrival.ChannelId, arrival.Visitor) is DriverSession predecessor)
        {
            predecessor.TakeRest(this);
            ServeTouched();
        }
        core.Resume(session, arrival.ChannelId, arrival.Visitor, arrival.Head);
        ServeEarly(session);
    }

    /// <summary>What a newcomer gets at once may fill its queue, and a message behind that would count as its slowness.</summary>
    private void ServeEarly(Session session)
    {
        if (Shard.WantsFlush(session))
            ServeTouched();
    }

    /// <summary>Hands in bytes that are not ours to change, since unmasking happens in place.</summary>
    public void Receive(Session session, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int taken = Math.Min(bytes.Length, _input.Length);
            bytes[..taken].CopyTo(_input);
            bytes = bytes[taken..];
            Feed(session, _input.AsSpan(0, taken));
        }
    }

    /// <summary>Hands in bytes, and flushes in between where a receiver's queue asks for it.</summary>
    public void Feed(Session session, Span<byte> input)
    {
        while (true)
        {
            input = input[core.Receive(session, input)..];
            if (input.IsEmpty)
                return;
            ServeTouched();
        }
    }

    /// <summary>Lets every touched session write and follow its phase.</summary>
    public void ServeTouched()
    {
        while (core.TryTakeTouched(out Session session))
        {
            try
            {
                ((DriverSession)session).Serve(core);
            }
#pragma warning disable CA1031 // A bug met by one connection must not cost the one whose bytes are being handled, nor end the turn.
            catch (Exception bug)
#pragma warning restore CA1031
            {
                core.Failed(session, bug);
            }
        }
    }
}

/// <summary>A session with the means to act on what the core has decided.</summary>
internal abstract class DriverSession : Session
{
    /// <summary>The connection's admission; given back where the connection is closed.</summary>
    public Ticket Ticket;

    /// <summary>
    /// Writes what is unsent, as far as the socket takes it at once, and does what the phase asks for. Called on the shard's turn.
    /// </summary>
    public abstract void Serve(Shard core);

    /// <summary>
    /// Hands in, within a bound, what the socket has received and nobody has looked at yet, since its seat is about to be taken over. Called on the
    /// shard's turn, when the turn's input is free.
    /// </summary>
    public abstract void TakeRest(ShardTurn turn);
}

/// <summary>What a session needs to sit down; dropped as soon as it has.</summary>
/// <param name="ChannelId">What stands for the channel in the path; empty for a new one.</param>
/// <param name="Visitor">Who it is.</param>
/// <param name="Head">The upgrade response, unless somebody else has sent it.</param>
internal sealed record Arrival(byte[] ChannelId, Visitor Visitor, byte[] Head)
{
    /// <summary>An answer that it gets instead of a seat, if something spoke against it on the way.</summary>
    public Refusal Refusal { get; init; }
}

/// <summary>What a <see cref="PipeSession"/> tells its shard.</summary>
internal enum PipeFact : byte
{
    /// <summary>It wants a seat.</summary>
    Arrived,

    /// <summary>A read has completed.</summary>
    Readable,

    /// <summary>A write has completed.</summary>
    Written,

    /// <summary>A write was under way a while ago.</summary>
    Waited,
}

/// <summary>How a <see cref="PipeSession"/> reaches its shard, whichever thread the shard lives on.</summary>
internal interface IShardMailbox
{
    /// <summary>Posts a fact. From any thread; a session has a few facts under way at most.</summary>
    void Post(PipeSession session, PipeFact fact);

    /// <summary>Has the shard leave the buffers that it keeps for reuse to the collector, soon. From any thread.</summary>
    void ReleaseBuffers();

    /// <summary>The clock by which the shard waits.</summary>
    TimeProvider Time { get; }

    /// <summary>What the shard's connections on pipes have received and it has not looked at yet.</summary>
    UnseenInput Unseen { get; }
}
