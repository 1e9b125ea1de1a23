using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>Seats that outlive their sockets: section 5 of the protocol.</summary>
internal sealed partial class ModelServer
{
    private readonly List<(ModelChannel Channel, ModelSeat About, string State)> _news = [];
    private bool _isBusy;

    /// <summary>Brings a session back to the seat that it claims, or refuses it.</summary>
    /// <param name="session">The new session.</param>
    /// <param name="guest">With a claim.</param>
    /// <param name="head">What precedes all frames.</param>
    /// <param name="id">What stands for the channel in the path.</param>
    /// <param name="draw">A new token, for those who need one.</param>
    /// <returns>The session that was taken over, if there was one.</returns>
    public ModelSession? Resume(ModelSession session, Guest guest, byte[] head, string id, Func<string> draw)
    {
        ModelSeat? seat = Claimed(guest, id, out int start);
        if (seat is null)
        {
            Refuse(session, guest, head, EndReason.ResumeRefused);
            return null;
        }
        ModelSession? earlier = seat.Session;
        if (earlier is null)
            Release(seat, isResumed: true);
        else
            TakeOver(earlier);
        seat.Acknowledge(start);
        tally.Meet(earlier is null ? Rarity.HeldSeatResumed : Rarity.LiveSessionTakenOver);
        if (guest.Claim!.Token != seat.Token)
        {
            tally.Meet(Rarity.TokenBeforeUsed);
        }
        else
        {
            seat.TokenBefore = seat.Token;
            seat.Token = draw();
        }
        seat.Channel.HasResumed = true;
        Occupy(session, guest, head, seat);
        Heard.Add(new Heard(HeardKind.Began, Start: SessionStart.Resumed));

        seat.AcceptedTold = seat.Accepted;
        Send(session, ModelFrame.Text, Greeting(seat, isResumed: true));
        session.GreetingPing = start;
        Send(session, ModelFrame.Ping, ModelText.Number(start));
        foreach (KeptEnvelope kept in seat.Kept)
        {
            Send(session, kept.Frame.Opcode, kept.Frame.Payload);
            Send(session, ModelFrame.Ping, ModelText.Number(kept.Number));
        }
        seat.Pinged = seat.Numbered;
        if (seat.Kept.Count > 0)
            tally.Meet(Rarity.EnvelopesReplayed);
        if (seat.Kept.Count > 0)
            Heard.Add(new Heard(HeardKind.Replayed, Messages: seat.Kept.Count));
        Tell(seat.Channel, seat, "back");
        return earlier;
    }

    /// <summary>The seat that a claim opens, and the number of the envelope before the first to be sent.</summary>
    private ModelSeat? Claimed(Guest guest, string id, out int start)
    {
        start = 0;
        Claim claim = guest.Claim!;
        if (!_byName.TryGetValue(id.TrimEnd('='), out ModelChannel? channel) || claim.Token.Length != 32)
            return null;
        ModelSeat? seat = channel.Seats.Find(seat => claim.Token == seat.Token || claim.Token == seat.TokenBefore);
        if (seat is null || seat.Version != guest.Version)
            return null;
        if (claim.Received is null)
        {
            start = seat.Acknowledged;
            return start < seat.LetGo ? null : seat;
        }
        bool isNumber = claim.Received.Length > 0 && claim.Received.All(char.IsAsciiDigit) && int.TryParse(claim.Received, out start);
        if (isNumber && start > seat.Acknowledged && start <= seat.Pinged)
            tally.Meet(Rarity.ReceivedBeyondAcknowledged);
        return isNumber && start >= seat.LetGo && start <= seat.Pinged ? seat : null;
    }

    /// <summary>The client is on another connection now. If anything waits on this one, it would read that twice.</summary>
    private void TakeOver(ModelSession session)
    {
        (ushort code, string text) = ModelText.CloseOf(EndReason.TakenOver);
        bool isTold = session.Pending == 0 && !session.IsDeaf;
        Unseat(session, EndReason.TakenOver, isTold ? code : (ushort)0);
        if (!isTold)
        {
            tally.Meet(Rarity.TakenOverWithUnsent);
            Finish(session);
        }
        else
        {
            Close(session, code, text, SessionPhase.Lingering);
        }
    }

    private void Hold(ModelSeat seat)
    {
        Arm(ref seat.Window, limits.ResumeWindow);
        Held++;
        Heard.Add(new Heard(HeardKind.SeatHeld));
        Tell(seat.Channel, seat, "away");
    }

    private void Release(ModelSeat seat, bool isResumed)
    {
        seat.Window.Clear();
        Held--;
        Heard.Add(new Heard(HeardKind.SeatReleased, IsResumed: isResumed));
    }

    /// <summary>Nobody comes back to a held seat.</summary>
    private void GiveUp(ModelSeat seat)
    {
        Release(seat, isResumed: false);
        Vacate(seat);
    }

    /// <summary>A seat is gone, and with the last one the channel.</summary>
    private void Vacate(ModelSeat seat)
    {
        ModelChannel channel = seat.Channel;
        channel.Seats.Remove(seat);
        if (channel.Seats.Count > 0)
            Tell(channel, seat, "left");
        else if (!channel.IsEnding)
            EndChannel(channel, seat.LastEnd);
    }

    /// <summary>Tells the version 2 clients of a channel how one of them is: after whatever is being told or relayed just now.</summary>
    private void Tell(ModelChannel channel, ModelSeat about, string state)
    {
        if (!channel.IsEnding)
            _news.Add((channel, about, state));
        if (!_isBusy)
            TellNews();
    }

    private void TellNews()
    {
        _isBusy = true;
        while (_news.Count > 0)
        {
            (ModelChannel channel, ModelSeat about, string state) = _news[0];
            _news.RemoveAt(0);
            if (_news.Count > 0)
                tally.Meet(Rarity.NewsInARow);
            foreach (ModelSeat seat in channel.Seats.ToArray())
            {
                if (seat != about && seat.Version == ProtocolVersion.Two && seat.Session is { } session)
                {
                    tally.Meet(Rarity.PeerTold);
                    Push(session, VersionTwo.Peer(about, state, seat.Person));
                }
            }
        }
        _isBusy = false;
    }

    /// <summary>Something that waits for the client like an envelope, and is neither numbered nor kept.</summary>
    private void Push(ModelSession session, byte[] payload)
    {
        if (!session.IsStalled || Takes(session, new ModelFrame(ModelFrame.Text, payload)))
            Send(session, ModelFrame.Text, payload);
    }
}
