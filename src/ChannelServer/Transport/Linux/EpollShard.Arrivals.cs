using ChannelServer.Admission;
using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.WebSockets;

namespace ChannelServer.Transport.Linux;

/// <summary>How connections come in: accept, read the head, and on to wherever the request leads.</summary>
internal sealed partial class EpollShard
{
    /// <summary>How long a client may take to read an error answer and close.</summary>
    private static readonly TimeSpan _answerTimeout = TimeSpan.FromSeconds(2);

    /// <summary>How long accepting pauses when the process or the system has no descriptor or memory left.</summary>
    private static readonly TimeSpan _acceptPause = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a connection may say nothing while memory is short and others come.</summary>
    private static readonly TimeSpan _patienceWhenShort = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Whether one more may be at this shard's door in any case, when there is no room. The kernel sends each shard its part of all who come, but those
    /// whose places they could have may all be at others' doors, who give each place to the next who comes to them.
    /// </summary>
    private bool HasPlaceOfItsOwn => _atTheDoor < _ownPlaces && !_engine.Admission.Sockets.IsOverrun;

    private void WatchListeners(uint events, bool isNew)
    {
        for (int i = 0; i < _listeners.Length; i++)
        {
            ulong key = BellKey + 1 + (ulong)i;
            _ = isNew ? _epoll.Add(_listeners[i].Fd, events, key) : _epoll.Modify(_listeners[i].Fd, events, key);
        }
    }

    private void Accept(Listener listener)
    {
        if (_doorClosesAt < TimeSpan.MaxValue)
            return;
        for (int i = 0; i < AcceptsPerTurn; i++)
        {
            AcceptResult result = AcceptOne(listener);
            if (result == AcceptResult.Taken)
            {
                // From here on one comes for one who goes, and who has asked meanwhile is to be heard before he is taken for silent.
                if (_engine.Admission.Sockets.IsReached)
                    return;
                continue;
            }
            // Level-triggered, an accept that cannot succeed would spin: the listener rests instead.
            if (result == AcceptResult.Exhausted)
            {
                WatchListeners(0, isNew: false);
                _acceptsAgainAt = _core.Now + _acceptPause;
            }
            return;
        }
    }

    private AcceptResult AcceptOne(Listener listener)
    {
        while (true)
        {
            if (_engine.Admission.Sockets.IsReached && !HasPlaceOfItsOwn && !MakeRoom())
                return AcceptResult.Exhausted;
            // A connection takes memory before anybody can refuse it. Who means it has said what he wants by now.
            if (!_engine.Admission.HasMemory && _heads.NextDue - _core.Now < ChannelEngine.HeadTimeout - _patienceWhenShort
                && _heads.TryTakeFirst(out Session silent))
                Close((SocketSession)silent);
            int fd = LibC.Accept(listener.Fd, out SockAddr peer);
            if (fd >= 0)
            {
                _engine.Admission.Sockets.Enter();
                Take(new SocketSession(fd, peer.ToIPAddress()), LibC.EPOLLIN);
                return AcceptResult.Taken;
            }
            if (fd == -LibC.EAGAIN)
                return AcceptResult.None;
            // A connection that was gone before we came is no reason to leave the others waiting.
            if (fd == -LibC.ECONNABORTED)
                continue;
            _engine.ReportAcceptFailure(-fd);
            // Of another fault the next try would most likely meet the same.
            if (fd is not (-LibC.EMFILE or -LibC.ENFILE or -LibC.ENOBUFS or -LibC.ENOMEM) || !MakeRoom())
                return AcceptResult.Exhausted;
        }
    }

    /// <summary>
    /// Gives up the connections that are worth least: who has had its answer, then who has said nothing for longest. So a flood of silent
    /// connections cannot keep a health check out.
    /// </summary>
    private bool MakeRoom()
    {
        if (!_answers.TryTakeFirst(out Session least) && !_heads.TryTakeFirst(out least))
            return false;
        Close((SocketSession)least);
        return true;
    }

    /// <summary>Makes a connection this thread's; it waits for its head unless it is to be seated at once.</summary>
    private bool Take(SocketSession session, uint interest)
    {
        session.BelongTo(this, _connections.Add(session));
        session.Stage = SocketStage.Head;
        _atTheDoor++;
        if (_epoll.Add(session.Fd, interest, session.Key) < 0)
        {
            Close(session);
            return false;
        }
        _heads.Append(session, _core.Now + ChannelEngine.HeadTimeout);
        return true;
    }

    /// <summary>Takes a connection out of everything here; its descriptor stays open.</summary>
    private void Forget(SocketSession session)
    {
        DeadlineList<Session, Session.Pulse>.Remove(session);
        KeepHead(session, null);
        if (session.Stage is SocketStage.Head or SocketStage.Answered)
            _atTheDoor--;
        session.Stage = SocketStage.Gone;
        _connections.Remove(session.Key);
    }

    private void ReadHead(SocketSession session, Span<byte> received)
    {
        Span<byte> bytes = received;
        if (session.PartialHead is { } partial)
        {
            byte[] joined = new byte[partial.Length + received.Length];
            partial.CopyTo(joined, 0);
            received.CopyTo(joined.AsSpan(partial.Length));
            bytes = joined;
        }
        HeadStatus status = RequestHead.TryParse(bytes, out RequestHead head);
        if (status == HeadStatus.Incomplete)
        {
            if (_engine.Admission.HasMemory && _headOctets + received.Length <= _mostHeadOctets)
                KeepHead(session, bytes.ToArray());
            else
                Refuse(session, _engine.Admission.RefuseHeadForMemory(session.Address));
            return;
        }
        KeepHead(session, null);
        if (status != HeadStatus.Complete)
        {
            Refuse(session, _engine.Admission.RefuseHead(ChannelRoute.FaultOf(status), session.Address));
            return;
        }
        ChannelRoute route = ChannelRoute.Of(head);
        if (route.Kind == RouteKind.Refuse)
            Refuse(session, _engine.RefuseRequest(head, route.Fault, session.Address));
        else if (route.Kind == RouteKind.Elsewhere)
            _engine.HandToKestrel(Release(session), bytes.ToArray());
        else
            Upgrade(session, head, route, bytes[head.Length..]);
    }

    private void Upgrade(SocketSession session, in RequestHead head, in ChannelRoute route, Span<byte> unread)
    {
        ClientAddress client = _engine.Clients.ReadAddress(head, session.Address);
        Refusal refusal = _engine.Admission.Admit(head, client.Address, route.ChannelId.IsEmpty, out session.Ticket);
        if (!refusal.IsNone)
        {
            Refuse(session, refusal);
            return;
        }
        int owner = _core.OwnerOf(route.ChannelId);
        bool asks = _engine.Admission.MustAsk(client.Address);
        // Who wants a seat back comes behind all that this turn has to read: the seat's earlier connection may be part of it.
        bool claims = ResumeClaim.Of(head.Query) is not null;
        if (asks || claims || owner != _core.Index)
        {
            Arrival arrival = _engine.DescribeArrival(head, route.ChannelId, client);
            byte[] rest = unread.ToArray();
            _epoll.Remove(session.Fd);
            Forget(session);
            if (asks)
                _engine.Ask(session, arrival, rest, _engine.Shard(owner));
            else
                _engine.Shard(owner).Post(session, arrival, rest);
            return;
        }
        Visitor visitor = _engine.Clients.Read(head, client);
        Span<byte> response = stackalloc byte[UpgradeRequest.MaxResponseSize];
        response = response[..UpgradeRequest.WriteResponse(head, visitor.Version.Subprotocol(), response)];
        BeginSession(session);
        _turn.Seat(session, route.ChannelId, visitor, response);
        if (!unread.IsEmpty)
            _turn.Feed(session, unread);
    }

    /// <summary>Takes over a connection that another shard has read the head of.</summary>
    private void Welcome(SocketSession session, Arrival arrival, byte[] unread)
    {
        if (!Take(session, LibC.EPOLLIN))
            return;
        if (!arrival.Refusal.IsNone)
        {
            Refuse(session, arrival.Refusal);
            return;
        }
        BeginSession(session);
        _turn.Seat(session, arrival);
        if (unread.Length > 0)
            _turn.Feed(session, unread);
    }

    private void BeginSession(SocketSession session)
    {
        DeadlineList<Session, Session.Pulse>.Remove(session);
        _atTheDoor--;
        session.Stage = SocketStage.Seated;
    }

    /// <summary>The one place where the part of a head is kept, and where it goes.</summary>
    private void KeepHead(SocketSession session, byte[]? part)
    {
        _headOctets += (part?.Length ?? 0) - (session.PartialHead?.Length ?? 0);
        session.PartialHead = part;
    }

    /// <summary>Gives a connection away: the caller has its descriptor to itself.</summary>
    private int Release(SocketSession session)
    {
        _epoll.Remove(session.Fd);
        Forget(session);
        return session.Fd;
    }

    /// <summary>The head of a request was not there in time.</summary>
    private void GiveUp(SocketSession session)
    {
        // A client that never said a word reads no answer.
        if (session.PartialHead is null)
            Close(session);
        else
            Refuse(session, _engine.Admission.RefuseHead(RefusalReason.HeadTimeout, session.Address));
    }

    /// <summary>Answers, half-closes, and reads on for a while, since closing on unread bytes would reset the answer away.</summary>
    private void Refuse(SocketSession session, Refusal refusal)
    {
        Span<byte> response = stackalloc byte[ErrorResponse.MaxSize];
        int written = ErrorResponse.Write(refusal.Status, refusal.RetryAfter, Time.GetUtcNow(), response);
        // An answer fits into an empty socket buffer; where it does not, the client is not there.
        if (LibC.Send(session.Fd, response[..written]) != written || LibC.Shutdown(session.Fd, LibC.SHUT_WR) < 0)
        {
            Close(session);
            return;
        }
        KeepHead(session, null);
        session.Stage = SocketStage.Answered;
        _answers.Append(session, _core.Now + _answerTimeout);
    }

    private enum AcceptResult
    {
        /// <summary>Nobody is waiting.</summary>
        None,

        Taken,

        /// <summary>Somebody is, and cannot be taken for now.</summary>
        Exhausted,
    }
}
