using System.Buffers;
using System.Net.Sockets;
using ChannelServer.Relay;

namespace ChannelServer.Transport;

/// <summary>
/// A session on pipes. What it reads is taken off the pipe as it comes (<see cref="PipeInput"/>); its writes are started on the shard's
/// turn, one at a time (<see cref="PipeOutput"/>). Completions only post a letter, and an idle session costs no state machine.
/// </summary>
internal sealed class PipeSession : DriverSession
{
    /// <summary>How long a claim waits at a time for what its predecessor has received and Kestrel has not yet put into the pipe.</summary>
    private static readonly TimeSpan _rest = TimeSpan.FromMilliseconds(5);

    /// <summary>How often it waits; then the predecessor receives faster than it can be read.</summary>
    private const int MostRests = 20;

    /// <summary>How often a write that waits is looked after: often enough to see an octet of progress before the write timeout, 5 s.</summary>
    private static readonly TimeSpan _watchPause = TimeSpan.FromSeconds(1);

    private readonly PipeConnection _connection;
    private readonly IShardMailbox _shard;
    private readonly PipeInput _input;
    private PipeOutput _output;
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _rests;
    private bool _isWatched;
    private bool _isHalfClosed;
    private bool _isReleased;

    /// <param name="connection">Its connection.</param>
    /// <param name="shard">The mailbox of the shard that owns the session.</param>
    public PipeSession(PipeConnection connection, IShardMailbox shard)
    {
        _connection = connection;
        _shard = shard;
        _input = new PipeInput(connection.Pipes, shard.Unseen, static session => ((PipeSession)session).Tell(PipeFact.Readable), this);
        _output = new PipeOutput(connection, this);
    }

    /// <summary>Set by the connection before the session is posted; taken by the shard.</summary>
    public Arrival? Arrival { get; set; }

    /// <summary>Takes in what was read behind the request.</summary>
    public void Begin(in ReadOnlySequence<byte> unread) => _input.Begin(unread);

    /// <summary>Asks for the seat. The task completes when the session is finished and nothing of it is under way on the pipes.</summary>
    public Task RunAsync()
    {
        // Before it is seated, and so before its client can know and answer: from here on nothing that arrives lies in the pipe.
        _input.ReadOn();
        Tell(PipeFact.Arrived);
        return _released.Task;
    }

    /// <summary>A write that had to wait has ended. From any thread.</summary>
    public void TellWritten() => Tell(PipeFact.Written);

    /// <summary>Does what a fact asks for. Called on the shard's turn.</summary>
    /// <param name="fact">What has happened.</param>
    /// <param name="turn">The shard that has the turn.</param>
    public void Handle(PipeFact fact, ShardTurn turn)
    {
        if (fact == PipeFact.Arrived)
            Sit(turn);
        else if (fact == PipeFact.Readable)
            TakeRest(turn);
        else if (fact == PipeFact.Written)
            EndWrite(turn.Core);
        else
            LookAfterWrite(turn.Core);
        turn.ServeTouched();
        SettleRelease();
    }

    /// <summary>The session met a bug of ours: it goes, as if its client had.</summary>
    public void GiveUp(ShardTurn turn, Exception bug)
    {
        turn.Core.Failed(this, bug);
        turn.ServeTouched();
        SettleRelease();
    }

    /// <inheritdoc/>
    public override void TakeRest(ShardTurn turn)
    {
        // Until it has its seat, what it says waits.
        if (Arrival is not null)
            return;
        ArraySegment<byte> received = _input.Take(out bool isOver, out bool isBroken);
        if (received.Array is { } array)
        {
            turn.Feed(this, received);
            _shard.Unseen.Return(array);
        }
        if (isBroken)
            turn.Core.Broken(this);
        else if (isOver)
            turn.Core.InputEnded(this);
        else if (Phase != SessionPhase.Finished)
            _input.ReadOn();
    }

    private void Sit(ShardTurn turn)
    {
        Arrival arrival = Arrival!;
        if (turn.Core.Predecessor(arrival.ChannelId, arrival.Visitor) is PipeSession predecessor && _rests < MostRests
            && (_rests == 0 || predecessor.HasMoreToRead))
        {
            _rests++;
            _ = ComeBackAsync();
            return;
        }
        Arrival = null;
        turn.Seat(this, arrival);
        turn.ServeTouched();
        TakeRest(turn);
    }

    /// <summary>
    /// What the seat's earlier socket has received arrived first, and counts; but on its way through Kestrel it may be overtaken by the
    /// claim, so the claim waits a little. No thread does.
    /// </summary>
    private async Task ComeBackAsync()
    {
        await Task.Delay(_rest, _shard.Time);
        Tell(PipeFact.Arrived);
    }

    private void Tell(PipeFact fact) => _shard.Post(this, fact);

    private bool HasMoreToRead
    {
        get
        {
            try
            {
                return _connection.Socket is { Available: > 0 };
            }
            catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
            {
                return false;
            }
        }
    }

    private void EndWrite(Shard core)
    {
        Account(core, _output.TryFinish(out int written), written);
        core.Writable(this);
        // Nobody else serves a session that is finished.
        if (Phase == SessionPhase.Finished)
            Serve(core);
    }

    /// <summary>A link that is so slow that no write ends for long is not stuck.</summary>
    private void LookAfterWrite(Shard core)
    {
        _isWatched = false;
        if (!_output.IsWriting || _isReleased)
            return;
        if (_output.HasProgressed())
            core.Progressed(this);
        Watch();
    }

    private void Watch()
    {
        if (_isWatched)
            return;
        _isWatched = true;
        _ = TellLaterAsync();
    }

    private async Task TellLaterAsync()
    {
        await Task.Delay(_watchPause, _shard.Time);
        Tell(PipeFact.Waited);
    }

    /// <summary>Lets the pipes go once the session is finished and nothing of it is under way on them.</summary>
    private void SettleRelease()
    {
        if (_isReleased && !_output.IsWriting && _input.IsAtRest)
            _released.TrySetResult();
    }

    /// <inheritdoc/>
    public override void Serve(Shard core)
    {
        while (!_output.IsWriting && !_isReleased && Phase != SessionPhase.Finished && !Unsent.IsEmpty)
            Account(core, _output.TryWrite(Unsent, out int written), written);
        if (Phase == SessionPhase.Finished)
            Release();
        else if (Phase == SessionPhase.Lingering && !_output.IsWriting)
            HalfClose();
    }

    /// <summary>Accounts for a write. One that has to wait has written nothing yet, which tells the shard that it is stuck.</summary>
    private void Account(Shard core, bool isTaken, int written)
    {
        // What has arrived may not have been looked at yet: the broken connection ends the input too, behind it.
        if (isTaken)
            core.Sent(this, written);
        else
            core.OutputBroken(this);
        if (_output.IsWriting)
            Watch();
    }

    private void HalfClose()
    {
        if (_isHalfClosed || _connection.Socket is null)
            return;
        _isHalfClosed = true;
        try
        {
            _connection.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // The client was faster; the read under way says so.
        }
    }

    /// <summary>Starts to give the connection back. What is under way is cut: the shard has given the client its time.</summary>
    private void Release()
    {
        if (_isReleased)
            return;
        _isReleased = true;
        _output.Cut();
        _input.Stop();
        SettleRelease();
    }
}
