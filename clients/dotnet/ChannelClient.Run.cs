using System.Collections.Frozen;
using System.Globalization;

namespace ChannelServer.Client;

// The life of a seat: connect, carry, lose, resume.
public sealed partial class ChannelClient
{
    // Codes that only a channel server sends, and that end the seat. Another close without an "end" frame comes from something in
    // between, and is a lost connection.
    private static readonly FrozenSet<int> _final = [4401, 4404, 4409, 4410, 4413, 4429];

    private async Task RunAsync(Connection connection)
    {
        ChannelException? end;
        try
        {
            end = await LiveAsync(connection).ConfigureAwait(false);
        }
        catch (ChannelException refused)
        {
            end = refused;
        }
        catch (ProtocolException wrong)
        {
            end = new ChannelException(1002, wrong.Message, false, inner: wrong);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            end = null;
        }
        catch (Exception fault)
        {
            // A handler's, or a defect of ours: whoever waits must not wait for ever.
            _connected = false;
            _outbox.Fail(new ChannelException(1011, "internal error", false, inner: fault));
            _messages.Writer.Complete(fault);
            _completion.SetException(fault);
            throw;
        }
        _connected = false;
        _outbox.Fail(end ?? new ChannelException(_left ? 1000 : 1006, "closed", false));
        _messages.Writer.Complete(end);
        _completion.SetResult(end is null ? new ChannelEnd(_left ? 1000 : 1006, "", false) : new ChannelEnd(end.Code, end.Reason, end.Retry));
    }

    /// <summary>Null when this end has left.</summary>
    private async Task<ChannelException?> LiveAsync(Connection connection)
    {
        while (true)
        {
            long began = _options.TimeProvider.GetTimestamp();
            using (connection)
            {
                ChannelException? end = await CarryAsync(connection).ConfigureAwait(false);
                _connected = false;
                if (_left || end is not null)
                    return end;
                if (_token is null || _final.Contains(connection.CloseCode))
                    return new ChannelException(connection.CloseCode, LossOf(connection), !_final.Contains(connection.CloseCode));
            }
            // A connection that ends at once without having brought anything is one more failed attempt.
            if (_options.TimeProvider.GetElapsedTime(began) > _options.BackoffCap)
                _backoff.Reset();
            ConnectionLost?.Invoke(this, EventArgs.Empty);
            IReadOnlyList<Peer> before = _peers;
            connection = await ConnectAsync(_options.ResumeWindow, "resume window over", CancellationToken.None).ConfigureAwait(false);
            Resumed?.Invoke(this, EventArgs.Empty);
            TellPeerChanges(before, _peers);
        }
    }

    /// <summary>Tries until there is a greeting.</summary>
    /// <exception cref="ChannelException">Refused, or not within the time.</exception>
    private async Task<Connection> ConnectAsync(TimeSpan limit, string overdue, CancellationToken cancellation)
    {
        using CancellationTokenSource window = new(limit, _options.TimeProvider);
        using CancellationTokenSource any = CancellationTokenSource.CreateLinkedTokenSource(window.Token, cancellation, _stop.Token);
        TimeSpan wait = _token is null ? TimeSpan.Zero : _backoff.Next();
        Attempt last = default;
        while (true)
        {
            using CancellationTokenSource attempt = new();
            using CancellationTokenSource all = CancellationTokenSource.CreateLinkedTokenSource(attempt.Token, any.Token);
            TimeSpan retryAfter = TimeSpan.Zero;
            try
            {
                await Task.Delay(wait, _options.TimeProvider, any.Token).ConfigureAwait(false);
                using ITimer timer = _options.TimeProvider.CreateTimer(
                    static source => ((CancellationTokenSource)source!).Cancel(), attempt, _options.AttemptTimeout, Timeout.InfiniteTimeSpan);
                last = await Connection.OpenAsync(ResumeAddress(), _options, all.Token).ConfigureAwait(false);
                retryAfter = last.RetryAfter;
                // A server refuses a resume behind the upgrade. What refuses the upgrade then stands in between, and may go: a captive portal, say.
                if (last.IsRefusal && _token is null)
                    throw new ChannelException(1006, "upgrade refused", false, last.Status, last.Failure);
                if (last.Connection is { } connection && await GreetAsync(connection, all.Token).ConfigureAwait(false))
                    return connection;
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested && !_stop.IsCancellationRequested)
            {
                if (window.IsCancellationRequested)
                    throw new ChannelException(1006, overdue, true, last.Status, last.Failure);
                // Else this attempt took too long.
            }
            wait = _backoff.Next();
            wait = wait > retryAfter ? wait : retryAfter;
        }
    }

    private Uri ResumeAddress()
    {
        if (_token is null)
            return _address;
        UriBuilder address = new(_address);
        address.Path = string.Concat(_address.AbsolutePath.AsSpan(0, _address.AbsolutePath.LastIndexOf('/') + 1), ChannelId);
        address.Query = string.Create(
            CultureInfo.InvariantCulture, $"{(address.Query.Length > 1 ? address.Query + "&" : "")}resume={_token}&received={_received}");
        return address.Uri;
    }

    /// <summary>Reads the greeting; false when another attempt may fare better. Owns the connection until it returns true.</summary>
    private async Task<bool> GreetAsync(Connection connection, CancellationToken cancellation)
    {
        bool greeted = false;
        try
        {
            switch (await connection.ReadAsync(cancellation).ConfigureAwait(false))
            {
                case null when _final.Contains(connection.CloseCode):
                    throw new ChannelException(connection.CloseCode, connection.CloseReason, false);
                case ServerFrame.End end when EndOf(end) is { } final:
                    throw final;
                case ServerFrame.Greeting greeting when _token is null || connection.Version == 2:
                    Welcome(connection, greeting);
                    greeted = true;
                    break;
            }
            return greeted;
        }
        finally
        {
            if (!greeted)
                connection.Dispose();
        }
    }

    private void Welcome(Connection connection, ServerFrame.Greeting greeting)
    {
        Version = connection.Version;
        (ChannelId, Link, _token) = (greeting.ChannelId, greeting.Link, greeting.Token);
        (_limits, _peers) = (greeting.Limits, greeting.Peers);
        _outbox.Acknowledged = Version == 2;
        _outbox.MaxMessage = greeting.Limits?.MaxMessage ?? 0;
        _outbox.Rewind(greeting.Received);
        _connected = true;
    }

    /// <summary>Reads and writes until the connection ends. Null where it was lost, or left.</summary>
    private async Task<ChannelException?> CarryAsync(Connection connection)
    {
        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        Task writing = WriteAsync(connection, over.Token);
        try
        {
            return await ReadAsync(connection, over.Token).ConfigureAwait(false);
        }
        finally
        {
            await over.CancelAsync().ConfigureAwait(false);
            await writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Ends when the connection takes no more; the reader notices that too.</summary>
    private async Task WriteAsync(Connection connection, CancellationToken cancellation)
    {
        while (true)
        {
            Task changed = _outbox.Changed;
            while (_outbox.Take() is { } octets)
            {
                if (!await connection.SendAsync(octets, cancellation).ConfigureAwait(false))
                    return;
                _outbox.Written();
            }
            if (_closing && _outbox.IsEmpty)
            {
                _left = true;
                await connection.LeaveAsync(cancellation).ConfigureAwait(false);
                return;
            }
            await changed.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    private async Task<ChannelException?> ReadAsync(Connection connection, CancellationToken cancellation)
    {
        while (await connection.ReadAsync(cancellation).ConfigureAwait(false) is { } frame)
        {
            switch (frame)
            {
                case ServerFrame.Message message:
                    await ReceiveAsync(message.Content, cancellation).ConfigureAwait(false);
                    break;
                case ServerFrame.Acknowledgement acknowledgement:
                    if (_outbox.AcceptUpTo(acknowledgement.Received))
                        _backoff.Reset();
                    break;
                case ServerFrame.Presence presence:
                    Note(presence.Change);
                    break;
                case ServerFrame.Expiring expiring:
                    Expiring?.Invoke(this, expiring.ExpiresIn);
                    break;
                case ServerFrame.End end:
                    return EndOf(end);
            }
        }
        return null;
    }

    private async Task ReceiveAsync(ChannelMessage message, CancellationToken cancellation)
    {
        if (Version == 1)
            message = message with { Number = _received + 1 };
        if (message.Number <= _received)
            return;
        if (message.Number != _received + 1)
            throw new ProtocolException("a gap in the sequence");
        _received = message.Number;
        _backoff.Reset();
        await _messages.Writer.WriteAsync(message, cancellation).ConfigureAwait(false);
    }

    /// <summary>Null where the seat can be taken back, or a first attempt repeated.</summary>
    private ChannelException? EndOf(ServerFrame.End end)
    {
        bool seatIsGone = ChannelId.Length > 0 && (_token is null || end.Code is 1001 or 1011);
        return end.Retry && !seatIsGone ? null : new ChannelException(end.Code, end.Reason, end.Retry);
    }

    private static string LossOf(Connection connection) =>
        connection.CloseReason.Length > 0 ? connection.CloseReason : "connection lost";

    private void Note(PeerChange change)
    {
        IEnumerable<Peer> others = _peers.Where(peer => peer.Id != change.Id);
        _peers = change.News == PeerNews.Left ? [.. others] : [.. others, new Peer(change.Id, change.News == PeerNews.Away, change.Sender)];
        PeerChanged?.Invoke(this, change);
    }

    /// <summary>What happened to the others while this one was away.</summary>
    private void TellPeerChanges(IReadOnlyList<Peer> before, IReadOnlyList<Peer> now)
    {
        foreach (Peer peer in now)
        {
            Peer? was = before.FirstOrDefault(other => other.Id == peer.Id);
            if (was?.IsAway != peer.IsAway)
                PeerChanged?.Invoke(this, new PeerChange(peer.Id, peer.IsAway ? PeerNews.Away : was is null ? PeerNews.Joined : PeerNews.Back, peer.Sender));
        }
        foreach (Peer gone in before.Where(peer => now.All(other => other.Id != peer.Id)))
            PeerChanged?.Invoke(this, new PeerChange(gone.Id, PeerNews.Left, gone.Sender));
    }
}
