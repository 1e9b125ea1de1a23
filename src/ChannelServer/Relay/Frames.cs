namespace ChannelServer.Relay;

/// <summary>
/// All that a shard says besides envelopes of version 1 (<see cref="Envelope"/>) and control frames. Each call returns a whole frame, valid until the
/// next call.
/// </summary>
internal sealed class Frames
{
    private readonly TextFrame _frame = new();

    /// <summary>The greeting of version 1: which channel it is, the link for the others, the key to the seat.</summary>
    /// <param name="seat">Whose.</param>
    /// <param name="isResumable">Whether there is a key.</param>
    /// <param name="isResumed">Whether the seat was taken back.</param>
    public ReadOnlySpan<byte> Greeting(Seat seat, bool isResumable, bool isResumed)
    {
        TextFrame frame = _frame.Begin();
        AddChannel(frame.Add("{"u8), seat.Channel);
        if (isResumed)
            frame.Add(",\"received\":"u8).Add(seat.Accepted);
        if (isResumable)
            frame.Add(",\"resume\":\""u8).Add(seat.Token).Add("\""u8);
        return frame.Add("}"u8).End();
    }

    /// <summary>The greeting of version 2: the same, with the limits and who else is there.</summary>
    /// <param name="seat">Whose.</param>
    /// <param name="isResumable">Whether there is a key.</param>
    /// <param name="limits">The limits to tell.</param>
    /// <param name="now">The time, for what is left of the channel's.</param>
    public ReadOnlySpan<byte> GreetingOfTwo(Seat seat, bool isResumable, Limits limits, TimeSpan now)
    {
        TextFrame frame = _frame.Begin();
        AddChannel(frame.Add("{\"type\":\"greeting\","u8), seat.Channel);
        if (isResumable)
            frame.Add(",\"resume\":\""u8).Add(seat.Token).Add("\""u8);
        frame.Add(",\"expires_in\":"u8).Add(SecondsLeft(seat.Channel, now))
            .Add(",\"max_exchanges\":"u8).Add(limits.MaxExchanges)
            .Add(",\"max_data\":"u8).Add(limits.MaxData)
            .Add(",\"max_message\":"u8).Add(limits.MaxMessage)
            .Add(",\"received\":"u8).Add(seat.Accepted)
            .Add(",\"peers\":["u8);
        bool isFirst = true;
        for (Seat? peer = seat.Channel.FirstSeat; peer is not null; peer = peer.Next)
        {
            if (peer == seat)
                continue;
            frame.Add(isFirst ? "{"u8 : ",{"u8);
            AddPeer(frame, peer, peer.Session is null ? "away"u8 : "here"u8, seat);
            isFirst = false;
        }
        return frame.Add("]}"u8).End();
    }

    /// <summary>A message for a seat of version 2.</summary>
    /// <param name="number">Its number on that seat.</param>
    /// <param name="sender">Who sent it.</param>
    /// <param name="text">The message, valid UTF-8.</param>
    /// <param name="description">The sender object, as the receiver reads it.</param>
    public ReadOnlySpan<byte> Message(int number, Seat sender, ReadOnlySpan<byte> text, ReadOnlySpan<byte> description) => _frame.Begin()
        .Add("{\"type\":\"message\",\"seq\":"u8).Add(number).Add(",\"peer\":\""u8).Add(sender.Number)
        .Add("\",\"message\":\""u8).AddEscaped(text).Add("\",\"sender\":"u8).Add(description).Add("}"u8).End();

    /// <summary>How many messages of a seat have been accepted.</summary>
    public ReadOnlySpan<byte> Ack(int received) => _frame.Begin().Add("{\"type\":\"ack\",\"received\":"u8).Add(received).Add("}"u8).End();

    /// <summary>What has become of a peer.</summary>
    public ReadOnlySpan<byte> Peer(Seat peer, PeerState state, Seat reader)
    {
        AddPeer(_frame.Begin().Add("{\"type\":\"peer\","u8), peer, NameOf(state), reader);
        return _frame.End();
    }

    /// <summary>The channel ends soon.</summary>
    public ReadOnlySpan<byte> Expiring(Channel channel, TimeSpan now) =>
        _frame.Begin().Add("{\"type\":\"expiring\",\"expires_in\":"u8).Add(SecondsLeft(channel, now)).Add("}"u8).End();

    /// <summary>The session ends; the close frame is next.</summary>
    public ReadOnlySpan<byte> End(EndReason reason) => _frame.Begin()
        .Add("{\"type\":\"end\",\"code\":"u8).Add(reason.Code()).Add(",\"reason\":\""u8).Add(reason.Text())
        .Add("\",\"retry\":"u8).Add(reason.Retry()).Add("}"u8).End();

    private static ReadOnlySpan<byte> NameOf(PeerState state) => state switch
    {
        PeerState.Joined => "joined"u8,
        PeerState.Away => "away"u8,
        PeerState.Back => "back"u8,
        _ => "left"u8,
    };

    private static void AddChannel(TextFrame frame, Channel channel) =>
        frame.Add("\"channelid\":\""u8).Add(channel.Id).Add("\",\"link\":\"/v1/ws/"u8).Add(channel.Id).Add("\""u8);

    private static void AddPeer(TextFrame frame, Seat peer, ReadOnlySpan<byte> state, Seat reader) =>
        frame.Add("\"peer\":\""u8).Add(peer.Number).Add("\",\"state\":\""u8).Add(state)
            .Add("\",\"sender\":"u8).Add(peer.Sender.ReadBy(reader.Languages)).Add("}"u8);

    /// <summary>Rounded up, since 0 says that the channel has no end.</summary>
    private static long SecondsLeft(Channel channel, TimeSpan now) =>
        channel.ExpiresAt == TimeSpan.MaxValue ? 0 : Math.Max(1, (long)Math.Ceiling((channel.ExpiresAt - now).TotalSeconds));
}
