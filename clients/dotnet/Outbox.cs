using System.Text;

namespace ChannelServer.Client;

/// <summary>
/// Own messages. Those numbered 1 to <see cref="Accepted"/> are the server's; the others wait here, to be sent again if need be.
/// Any thread.
/// </summary>
internal sealed class Outbox(ChannelClientOptions options)
{
    private readonly Lock _gate = new();
    private readonly List<Waiting> _messages = [];
    private TaskCompletionSource _changed = NewSource();
    private ChannelException? _failed;
    private int _octets;
    // How many of the waiting messages the present connection has taken.
    private int _taken;

    public long Accepted { get; private set; }

    /// <summary>Octets that one message may have; 0 while that is not known.</summary>
    public int MaxMessage { get; set; }

    /// <summary>In version 1 a message that was written is done.</summary>
    public bool Acknowledged { get; set; } = true;

    /// <summary>Completes at the next change, whatever that is. Take it before looking.</summary>
    public Task Changed
    {
        get
        {
            lock (_gate)
                return _changed.Task;
        }
    }

    public bool IsEmpty
    {
        get
        {
            lock (_gate)
                return _messages.Count == 0;
        }
    }

    /// <summary>Queues a message, and returns a task that tells of its acceptance, if somebody wants that.</summary>
    public Task Add(string text, bool observed)
    {
        byte[] octets = Encoding.UTF8.GetBytes(text);
        lock (_gate)
        {
            if (_failed is not null)
                throw Fresh(_failed);
            if (MaxMessage > 0 && octets.Length > MaxMessage)
                throw new ChannelException(1009, "message too big", false);
            if (_messages.Count >= options.QueueMessages)
                throw new QueueFullException(nameof(options.QueueMessages), options.QueueMessages);
            if (_octets + octets.Length > options.QueueOctets)
                throw new QueueFullException(nameof(options.QueueOctets), options.QueueOctets);
            Waiting waiting = new(octets, observed ? NewSource() : null);
            _messages.Add(waiting);
            _octets += octets.Length;
            Tell();
            return waiting.Done?.Task ?? Task.CompletedTask;
        }
    }

    /// <summary>The next message that the present connection has not taken yet.</summary>
    public byte[]? Take()
    {
        lock (_gate)
            return _taken < _messages.Count ? _messages[_taken++].Octets : null;
    }

    /// <summary>A connection has written what it took last.</summary>
    public void Written()
    {
        if (!Acknowledged)
            AcceptUpTo(Accepted + 1);
    }

    /// <summary>A new connection begins: whatever was not accepted is to be sent again.</summary>
    public void Rewind(long received)
    {
        lock (_gate)
            _taken = _messages.Count;
        AcceptUpTo(received);
        lock (_gate)
            _taken = 0;
    }

    /// <exception cref="ProtocolException">The server must have miscounted.</exception>
    public bool AcceptUpTo(long number)
    {
        List<Waiting> accepted;
        lock (_gate)
        {
            if (number < Accepted || number > Accepted + _taken)
                throw new ProtocolException("an acknowledgement out of range");
            int count = (int)(number - Accepted);
            accepted = _messages[..count];
            _messages.RemoveRange(0, count);
            _octets -= accepted.Sum(message => message.Octets.Length);
            _taken -= count;
            Accepted = number;
            Tell();
        }
        foreach (Waiting message in accepted)
            message.Done?.SetResult();
        return accepted.Count > 0;
    }

    /// <summary>The channel has ended: nothing that waits will be accepted.</summary>
    public void Fail(ChannelException reason)
    {
        List<Waiting> lost;
        lock (_gate)
        {
            _failed = reason;
            lost = [.. _messages];
            _messages.Clear();
            (_taken, _octets) = (0, 0);
            Tell();
        }
        foreach (Waiting message in lost)
            message.Done?.SetException(Fresh(reason));
    }

    public void Wake()
    {
        lock (_gate)
            Tell();
    }

    // One exception object is not thrown in several places: each has a stack of its own.
    public static ChannelException Fresh(ChannelException reason) =>
        new(reason.Code, reason.Reason, reason.Retry, reason.Status, reason);

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Tell()
    {
        _changed.SetResult();
        _changed = NewSource();
    }

    private sealed record Waiting(byte[] Octets, TaskCompletionSource? Done);
}
