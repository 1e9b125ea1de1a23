using System.Net;
using ChannelServer.Relay;

namespace ChannelServer.Transport.Linux;

/// <summary>What a connection of the Linux engine is doing.</summary>
internal enum SocketStage : byte
{
    /// <summary>Its request head is not complete.</summary>
    Head,

    /// <summary>It got an error answer; what it still sends is read and thrown away until it closes.</summary>
    Answered,

    /// <summary>It is a session of a shard.</summary>
    Seated,

    /// <summary>The descriptor is closed, or belongs to somebody else.</summary>
    Gone,
}

/// <summary>A connection of the Linux engine, from accept to close: one object, watched by one epoll instance.</summary>
internal sealed class SocketSession : DriverSession
{
    /// <summary>Reads of <see cref="TakeRest"/>: 1 MiB, more than a kernel keeps for one of these sockets.</summary>
    private const int MostRest = 16;

    private EpollShard? _shard;
    private bool _isHalfClosed;
    private bool _isInputOver;

    /// <param name="fd">The socket.</param>
    /// <param name="peer">The other end.</param>
    public SocketSession(int fd, IPAddress peer)
    {
        Fd = fd;
        Address = peer;
    }

    public int Fd { get; }

    /// <summary>Slot and generation under which the shard's epoll reports the socket.</summary>
    public ulong Key { get; private set; }

    public SocketStage Stage { get; set; }

    /// <summary>Whether the socket has not taken all that was to be written.</summary>
    public bool AwaitsRoom { get; private set; }

    /// <summary>Whether its shard looks for progress from time to time.</summary>
    public bool IsLookedAfter { get; set; }

    /// <summary>The part of a request head that has come; null as soon as it is complete.</summary>
    public byte[]? PartialHead { get; set; }

    /// <summary>From now on the socket belongs to that shard's thread.</summary>
    public void BelongTo(EpollShard shard, ulong key)
    {
        _shard = shard;
        Key = key;
    }

    /// <inheritdoc/>
    public override void Serve(Shard core)
    {
        if (Stage == SocketStage.Gone)
            return;
        while (!Unsent.IsEmpty && Phase != SessionPhase.Finished)
        {
            int sent = LibC.Send(Fd, Unsent);
            if (sent >= 0)
            {
                core.Sent(this, sent);
            }
            else if (sent == -LibC.EAGAIN)
            {
                core.Sent(this, 0);
                AwaitRoom(true);
                return;
            }
            else
            {
                // What has arrived may still lie in the socket: the error reaches us again behind it, as the end of the input.
                core.OutputBroken(this);
            }
        }
        if (Phase == SessionPhase.Finished)
        {
            _shard!.Close(this);
            return;
        }
        AwaitRoom(false);
        if (Phase == SessionPhase.Lingering && !_isHalfClosed)
        {
            _isHalfClosed = true;
            _ = LibC.Shutdown(Fd, LibC.SHUT_WR);
        }
    }

    /// <inheritdoc/>
    public override void TakeRest(ShardTurn turn)
    {
        for (int left = MostRest; left > 0 && Phase == SessionPhase.Open; left--)
        {
            int received = LibC.Receive(Fd, turn.Input);
            if (received == -LibC.EAGAIN)
                return;
            if (received > 0)
                turn.Feed(this, turn.Input[..received]);
            else if (received == 0)
                EndInput(turn.Core);
            else
                turn.Core.Broken(this);
        }
    }

    /// <summary>The client sends no more. Epoll would report that again at every turn, so it is not asked any more.</summary>
    public void EndInput(Shard core)
    {
        core.InputEnded(this);
        if (Stage == SocketStage.Gone || Phase == SessionPhase.Finished)
            return;
        _isInputOver = true;
        _shard!.Watch(this, Interest);
    }

    private uint Interest => (_isInputOver ? 0 : LibC.EPOLLIN) | (AwaitsRoom ? LibC.EPOLLOUT : 0);

    private void AwaitRoom(bool awaits)
    {
        if (AwaitsRoom == awaits)
            return;
        AwaitsRoom = awaits;
        _shard!.Watch(this, Interest);
        if (awaits)
            _shard.LookAfter(this);
    }
}
