using System.Buffers;
using System.Buffers.Binary;
using ChannelServer.Relay;
using ChannelServer.Transport;
using ChannelServer.WebSockets;

namespace ChannelServer.Echo;

/// <summary>
/// One connection from its request head to its end: bytes in, bytes out, no I/O. It begins and ends as a session of the server does
/// (<see cref="Shard"/>); in between, each message goes back where it came from.
/// </summary>
/// <param name="limits">What a client may send.</param>
internal sealed class EchoSession(FrameLimits limits)
{
    private readonly ArrayBufferWriter<byte> _output = new();
    private readonly PartialMessagePool _partials = new(new BufferPool());
    private byte[]? _head = [];
    private FrameReader _reader;
    private int _sent;
    private bool _isGarbled;

    public SessionPhase Phase { get; private set; } = SessionPhase.Open;

    /// <summary>What is to be written; valid until the next <see cref="Receive"/>.</summary>
    public ReadOnlySpan<byte> Unsent => _output.WrittenSpan[_sent..];

    /// <summary>The socket has taken octets of <see cref="Unsent"/>.</summary>
    public void Sent(int octets)
    {
        _sent += octets;
        if (_sent < _output.WrittenCount)
            return;
        _output.ResetWrittenCount();
        _sent = 0;
        if (Phase == SessionPhase.Leaving)
            Finish();
    }

    /// <summary>Takes in what has come; the bytes are changed.</summary>
    public void Receive(Span<byte> input)
    {
        if (_head is not null)
            input = ReadHead(input);
        while (!input.IsEmpty && !_isGarbled && Phase is SessionPhase.Open or SessionPhase.Lingering)
        {
            FrameEvent found = _reader.Read(input, limits, _partials, out int consumed, out Span<byte> payload);
            input = input[consumed..];
            if (Phase == SessionPhase.Open)
                Handle(found, payload);
            else
                AwaitClose(found);
        }
    }

    /// <summary>The client sends no more.</summary>
    public void EndInput()
    {
        if (Phase == SessionPhase.Lingering && !Unsent.IsEmpty)
            Phase = SessionPhase.Leaving;
        else if (Phase != SessionPhase.Leaving)
            Finish();
    }

    /// <summary>The connection is broken, or its time is over.</summary>
    public void Finish()
    {
        Phase = SessionPhase.Finished;
        _reader.Release(_partials);
    }

    private Span<byte> ReadHead(Span<byte> input)
    {
        byte[] bytes = [.. _head!, .. input];
        HeadStatus status = RequestHead.TryParse(bytes, out RequestHead head);
        if (status == HeadStatus.Incomplete)
        {
            _head = bytes;
            return default;
        }
        _head = null;
        if (status == HeadStatus.Complete && UpgradeRequest.Judge(head) == UpgradeVerdict.Accept)
        {
            _output.Advance(UpgradeRequest.WriteResponse(head, default, _output.GetSpan(UpgradeRequest.ResponseSize)));
            return bytes.AsSpan(head.Length);
        }
        _output.Advance(ErrorResponse.Write(426, retryAfter: 0, DateTimeOffset.UtcNow, _output.GetSpan(ErrorResponse.MaxSize)));
        Phase = SessionPhase.Leaving;
        return default;
    }

    private void Handle(FrameEvent found, ReadOnlySpan<byte> payload)
    {
        switch (found)
        {
            case FrameEvent.NeedMore or FrameEvent.Fragment or FrameEvent.Pong:
                return;
            case FrameEvent.Text:
                Write(Opcode.Text, payload);
                return;
            case FrameEvent.Binary:
                Write(Opcode.Binary, payload);
                return;
            case FrameEvent.Ping:
                Write(Opcode.Pong, payload);
                return;
            case FrameEvent.Close:
                WriteClose(payload.IsEmpty ? CloseCode.Normal : BinaryPrimitives.ReadUInt16BigEndian(payload), default);
                Phase = SessionPhase.Leaving;
                return;
            default:
                EndReason reason = Fault(found);
                _isGarbled = true;
                WriteClose(reason.Code(), reason.Text());
                Phase = SessionPhase.Lingering;
                return;
        }
    }

    /// <summary>After the server's close frame only the client's is of interest.</summary>
    private void AwaitClose(FrameEvent found)
    {
        _isGarbled = found > FrameEvent.Close;
        if (found == FrameEvent.Close)
            EndInput();
    }

    private void Write(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        _output.Advance(FrameWriter.WriteHeader(_output.GetSpan(FrameWriter.MaxHeader), opcode, payload.Length));
        _output.Write(payload);
    }

    private void WriteClose(ushort code, ReadOnlySpan<byte> text) =>
        _output.Advance(FrameWriter.WriteClose(_output.GetSpan(FrameWriter.MaxControl), code, text));

    private static EndReason Fault(FrameEvent found) => found switch
    {
        FrameEvent.InvalidUtf8 => EndReason.InvalidUtf8,
        FrameEvent.TooBig => EndReason.MessageTooBig,
        FrameEvent.TooManyFragments => EndReason.TooManyFragments,
        FrameEvent.BinaryRefused => EndReason.BinaryMessage,
        _ => EndReason.ProtocolError,
    };
}
