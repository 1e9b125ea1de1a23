namespace ChannelServer.WebSockets;

/// <summary>
/// What a <see cref="FrameReader"/> must remember between calls: a cut header, a cut control frame, the message so far. Only
/// clients in the middle of something have one.
/// </summary>
/// <param name="buffers">Where the message's buffer comes from.</param>
internal sealed class PartialMessage(BufferPool buffers)
{
    private readonly byte[] _header = new byte[FrameHeader.MaxSize];
    private readonly byte[] _control = new byte[125];
    private int _headerLength;
    private int _controlLength;
    private byte[]? _message;
    private int _validated;

    /// <summary>The frame being read.</summary>
    public FrameHeader Header { get; private set; }

    /// <summary>Whether <see cref="Header"/> is complete and its payload is not.</summary>
    public bool InFrame { get; private set; }

    /// <summary>Octets of the frame's payload that have not come yet.</summary>
    public ulong Missing { get; private set; }

    /// <summary>Octets of the frame's payload that have come.</summary>
    public ulong Phase => Header.Length - Missing;

    /// <summary>Whether a fragmented message is under way.</summary>
    public bool InMessage => Fragments > 0;

    /// <summary>Frames of the message so far, the one being read included.</summary>
    public int Fragments { get; private set; }

    /// <summary>Text or binary, from the first frame.</summary>
    public Opcode MessageOpcode { get; private set; }

    /// <summary>Octets of the message so far.</summary>
    public int Length { get; private set; }

    /// <summary>Whether the text so far ends with a whole character.</summary>
    public bool IsValidated => _validated == Length;

    /// <summary>Whether its payload has been handed out and everything here may go at the next call.</summary>
    public bool IsDelivered { get; set; }

    /// <summary>Since when it has been under way, as far as the owner has said.</summary>
    public TimeSpan? Since { get; set; }

    public Span<byte> Message => _message.AsSpan(0, Length);

    /// <summary>Adds input to the header until it is complete; false when it is forbidden.</summary>
    public bool TryGatherHeader(ReadOnlySpan<byte> input, out int consumed, out FrameHeader header)
    {
        int taken = Math.Min(input.Length, FrameHeader.MaxSize - _headerLength);
        input[..taken].CopyTo(_header.AsSpan(_headerLength));
        bool isAllowed = FrameHeader.TryRead(_header.AsSpan(0, _headerLength + taken), out header);
        bool isComplete = header.Size > 0;
        // Of what was looked at, only the header's own octets are consumed.
        consumed = isComplete ? header.Size - _headerLength : taken;
        _headerLength = isComplete ? 0 : _headerLength + taken;
        return isAllowed;
    }

    public void BeginFrame(in FrameHeader header)
    {
        Header = header;
        Missing = header.Length;
        InFrame = true;
        _controlLength = 0;
        if (header.IsControl)
            return;
        Fragments++;
        if (header.Opcode != Opcode.Continuation)
            MessageOpcode = header.Opcode;
    }

    public void EndFrame() => InFrame = false;

    /// <summary>Adds to the control frame's payload and returns all of it that has come.</summary>
    public Span<byte> GatherControl(ReadOnlySpan<byte> body)
    {
        body.CopyTo(_control.AsSpan(_controlLength));
        _controlLength += body.Length;
        Missing -= (ulong)body.Length;
        return _control.AsSpan(0, _controlLength);
    }

    /// <summary>Adds to the message; false when it is a text that can no longer become valid.</summary>
    public bool TryAppend(ReadOnlySpan<byte> body)
    {
        Missing -= (ulong)body.Length;
        int length = Length + body.Length;
        if (_message is null)
            _message = buffers.Rent(length);
        else if (length > _message.Length)
            _message = buffers.Grow(_message, ..Length, length);
        body.CopyTo(_message.AsSpan(Length));
        Length = length;
        if (MessageOpcode != Opcode.Text)
            return true;
        bool isValid = Utf8Text.TryValidate(_message.AsSpan(_validated, length - _validated), out int validated);
        _validated += validated;
        return isValid;
    }

    /// <summary>Forgets everything and gives the message's buffer back.</summary>
    public void Reset()
    {
        if (_message is not null)
            buffers.Return(_message);
        _message = null;
        _headerLength = _controlLength = _validated = Length = Fragments = 0;
        Missing = 0;
        Since = null;
        Header = default;
        InFrame = IsDelivered = false;
    }
}

/// <summary>Partial messages for one thread, kept for reuse within a bound.</summary>
/// <param name="buffers">Where their buffers come from.</param>
internal sealed class PartialMessagePool(BufferPool buffers)
{
    private const int Kept = 256;

    private readonly Stack<PartialMessage> _kept = new();

    /// <summary>Partial messages lent and not yet returned.</summary>
    public int Lent { get; private set; }

    /// <summary>Octets of the buffers that they hold.</summary>
    public long OctetsLent => buffers.OctetsLent;

    /// <summary>Leaves what it keeps for reuse to the collector, buffers included.</summary>
    public void Release()
    {
        _kept.Clear();
        _kept.TrimExcess();
        buffers.Release();
    }

    public PartialMessage Rent()
    {
        Lent++;
        return _kept.TryPop(out PartialMessage? partial) ? partial : new PartialMessage(buffers);
    }

    public void Return(PartialMessage partial)
    {
        Lent--;
        partial.Reset();
        if (_kept.Count < Kept)
            _kept.Push(partial);
    }
}
