using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>What an octet of a client has completed.</summary>
internal enum Completed : byte
{
    Nothing,
    Fragment,
    Text,
    Ping,
    Pong,
    Close,

    /// <summary>The stream broke; <see cref="ClientStream.Fault"/> says how.</summary>
    Broken,
}

/// <summary>
/// RFC 6455 as a client's bytes must be understood, one octet at a time: slow, and simple enough to be read against the RFC.
/// It shares nothing with the codec.
/// </summary>
internal sealed class ClientStream(Limits limits)
{
    private readonly List<byte> _header = [];
    private readonly List<byte> _control = [];
    private List<byte> _message = [];
    private readonly Utf8Rule _utf8 = new();
    private bool _inPayload;
    private bool _isFinal;
    private int _opcode;
    private int _fragments;
    private long _length;
    private long _seen;

    /// <summary>Whether nothing further can be understood.</summary>
    public bool IsBroken => Fault != EndReason.None;

    public EndReason Fault { get; private set; }

    /// <summary>Whether a frame or a message has begun and not ended.</summary>
    public bool IsMidway => !IsBroken && (_inPayload || _header.Count > 0 || _fragments > 0);

    /// <summary>Octets of the message that is under way.</summary>
    public int Gathered => _message.Count;

    /// <summary>The payload of what was completed last.</summary>
    public byte[] Payload { get; private set; } = [];

    private bool IsControl => _opcode >= 8;

    public Completed Take(byte octet)
    {
        if (_inPayload)
            return TakePayload(octet);
        _header.Add(octet);
        return TakeHeader();
    }

    /// <summary>What comes is not understood any more: the message under way has been let go.</summary>
    public void Abandon() => Break(EndReason.TryAgainLater);

    private Completed Break(EndReason fault)
    {
        Fault = fault;
        return Completed.Broken;
    }

    private Completed TakeHeader()
    {
        int first = _header[0];
        _isFinal = (first & 0x80) != 0;
        _opcode = first & 0x0F;
        bool isReserved = (first & 0x70) != 0 || _opcode is 3 or 4 or 5 or 6 or 7 or > 10;
        if (isReserved || (IsControl && !_isFinal))
            return Break(EndReason.ProtocolError);
        if (_header.Count < 2)
            return Completed.Nothing;

        bool isMasked = (_header[1] & 0x80) != 0;
        int shortLength = _header[1] & 0x7F;
        if (!isMasked || (IsControl && shortLength > 125))
            return Break(EndReason.ProtocolError);

        int extended = shortLength == 126 ? 2 : shortLength == 127 ? 8 : 0;
        if (_header.Count < 2 + extended)
            return Completed.Nothing;
        ulong length = extended == 0 ? (ulong)shortLength : 0;
        for (int i = 0; i < extended; i++)
            length = (length << 8) | _header[2 + i];
        bool isMinimal = extended == 0 || (extended == 2 ? length >= 126 : length >= 65536);
        if (!isMinimal || length >> 63 != 0)
            return Break(EndReason.ProtocolError);
        _length = (long)length;
        return _header.Count < 2 + extended + 4 ? Completed.Nothing : BeginPayload();
    }

    /// <summary>
    /// A header can be wrong in several ways at once. The order in which they are told is nobody's business but ours: no binary,
    /// the size, the number of fragments, then the order of the frames.
    /// </summary>
    private Completed BeginPayload()
    {
        if (!IsControl)
        {
            if (_opcode == 2)
                return Break(EndReason.BinaryMessage);
            if (_length > limits.MaxMessage - _message.Count)
                return Break(EndReason.MessageTooBig);
            if (_fragments == limits.MaxFragments)
                return Break(EndReason.TooManyFragments);
            bool continues = _opcode == 0;
            if (continues != _fragments > 0)
                return Break(EndReason.ProtocolError);
            _fragments++;
        }
        _inPayload = true;
        _seen = 0;
        _control.Clear();
        return _length == 0 ? EndFrame() : Completed.Nothing;
    }

    private Completed TakePayload(byte octet)
    {
        byte key = _header[_header.Count - 4 + (int)(_seen % 4)];
        byte plain = (byte)(octet ^ key);
        _seen++;
        if (IsControl)
        {
            _control.Add(plain);
        }
        else
        {
            _message.Add(plain);
            if (!_utf8.Accepts(plain))
                return Break(EndReason.InvalidUtf8);
        }
        return _seen == _length ? EndFrame() : Completed.Nothing;
    }

    private Completed EndFrame()
    {
        _inPayload = false;
        _header.Clear();
        if (IsControl)
            return EndControl();
        if (!_isFinal)
            return Completed.Fragment;
        if (!_utf8.IsBetweenCharacters)
            return Break(EndReason.InvalidUtf8);
        Payload = [.. _message];
        _message = [];
        _fragments = 0;
        return Completed.Text;
    }

    private Completed EndControl()
    {
        Payload = [.. _control];
        if (_opcode != 8)
            return _opcode == 9 ? Completed.Ping : Completed.Pong;
        if (Payload.Length == 0)
            return Completed.Close;
        if (Payload.Length == 1)
            return Break(EndReason.ProtocolError);
        int code = (Payload[0] * 256) + Payload[1];
        bool mayBeSent = code is >= 1000 and <= 1014 and not 1004 and not 1005 and not 1006 or >= 3000 and <= 4999;
        if (!mayBeSent)
            return Break(EndReason.ProtocolError);
        Utf8Rule reason = new();
        for (int i = 2; i < Payload.Length; i++)
        {
            if (!reason.Accepts(Payload[i]))
                return Break(EndReason.InvalidUtf8);
        }
        return reason.IsBetweenCharacters ? Completed.Close : Break(EndReason.InvalidUtf8);
    }
}
