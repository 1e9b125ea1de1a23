using System.Buffers.Binary;
using System.Text.Unicode;

namespace ChannelServer.WebSockets;

/// <summary>What <see cref="FrameReader.Read"/> found in the bytes.</summary>
internal enum FrameEvent : byte
{
    /// <summary>All bytes are consumed; nothing is complete.</summary>
    NeedMore,

    /// <summary>A frame that is not the last of its message.</summary>
    Fragment,

    /// <summary>A whole text message, valid UTF-8.</summary>
    Text,

    /// <summary>A whole binary message.</summary>
    Binary,

    /// <summary>A ping; the payload wants to come back in a pong.</summary>
    Ping,

    /// <summary>A pong.</summary>
    Pong,

    /// <summary>A close frame, valid; the payload is empty or starts with the code.</summary>
    Close,

    /// <summary>RFC 6455 forbids what came. Nothing can be read any more.</summary>
    ProtocolError,

    /// <summary>A text or a close reason is not UTF-8. Nothing can be read any more.</summary>
    InvalidUtf8,

    /// <summary>A message is larger than <see cref="FrameLimits.MaxMessage"/>. Nothing can be read any more.</summary>
    TooBig,

    /// <summary>A message has more fragments than <see cref="FrameLimits.MaxFragments"/>. Nothing can be read any more.</summary>
    TooManyFragments,

    /// <summary>A binary message where only text is spoken. Nothing can be read any more.</summary>
    BinaryRefused,
}

/// <summary>What a reader lets through.</summary>
/// <param name="MaxMessage">Octets of one message, all its fragments together.</param>
/// <param name="MaxFragments">Frames of one message.</param>
/// <param name="AcceptsBinary">Whether binary messages are read at all.</param>
internal sealed record FrameLimits(int MaxMessage, int MaxFragments, bool AcceptsBinary);

/// <summary>
/// Reads the frames of one client from bytes cut anywhere. Between frames it holds nothing but a null reference; a frame that
/// arrives whole is unmasked in the caller's bytes and handed out without a copy. What arrives in parts is gathered in buffers
/// of the pool that grow with what has been received, never with what a header promises.
/// </summary>
internal struct FrameReader
{
    private PartialMessage? _partial;

    /// <summary>Since when a frame or message has been under way; null when none is.</summary>
    public readonly TimeSpan? PartSince => _partial is { IsDelivered: false } ? _partial.Since : null;

    /// <summary>Octets of the message under way that have come and wait for the rest.</summary>
    public readonly int PartOctets => _partial is { IsDelivered: false } ? _partial.Length : 0;

    /// <summary>Remembers since when a frame or message is under way, if one is.</summary>
    public readonly void NotePart(TimeSpan now)
    {
        if (_partial is { IsDelivered: false })
            _partial.Since ??= now;
    }

    /// <summary>Reads up to the next event.</summary>
    /// <param name="input">Bytes as received. They are changed: unmasking happens in place.</param>
    /// <param name="limits">What is let through.</param>
    /// <param name="pool">Where parts are kept.</param>
    /// <param name="consumed">Bytes of the input that the reader is done with.</param>
    /// <param name="payload">The event's payload; valid until the next call and as long as the input is.</param>
    public FrameEvent Read(Span<byte> input, FrameLimits limits, PartialMessagePool pool, out int consumed, out Span<byte> payload)
    {
        if (_partial is { IsDelivered: true })
            Release(pool);
        if (_partial is not null)
            return ReadPartial(input, limits, out consumed, out payload);

        payload = default;
        consumed = 0;
        if (!FrameHeader.TryRead(input, out FrameHeader header))
            return FrameEvent.ProtocolError;
        if (header.Size > 0)
        {
            FrameEvent fault = Check(header, 0, 0, limits);
            if (fault != FrameEvent.NeedMore)
                return fault;
            if (header.Opcode == Opcode.Continuation)
                return FrameEvent.ProtocolError;
            bool isWhole = header.Length <= (ulong)(input.Length - header.Size);
            if (isWhole && header.IsFinal)
            {
                payload = input.Slice(header.Size, (int)header.Length);
                consumed = header.Size + payload.Length;
                Masking.Apply(payload, header.Key);
                return header.IsControl ? ControlEvent(header.Opcode, payload) : MessageEvent(header.Opcode, payload);
            }
        }
        if (input.IsEmpty)
            return FrameEvent.NeedMore;
        _partial = pool.Rent();
        return ReadPartial(input, limits, out consumed, out payload);
    }

    /// <summary>Gives all buffers back. Needed when the session ends; harmless at any time between calls.</summary>
    public void Release(PartialMessagePool pool)
    {
        if (_partial is { } partial)
            pool.Return(partial);
        _partial = null;
    }

    private FrameEvent ReadPartial(Span<byte> input, FrameLimits limits, out int consumed, out Span<byte> payload)
    {
        PartialMessage partial = _partial!;
        payload = default;
        consumed = 0;
        if (!partial.InFrame)
        {
            if (!partial.TryGatherHeader(input, out consumed, out FrameHeader header))
                return FrameEvent.ProtocolError;
            if (header.Size == 0)
                return FrameEvent.NeedMore;
            FrameEvent fault = Check(header, partial.Length, partial.Fragments, limits);
            if (fault != FrameEvent.NeedMore)
                return fault;
            bool isContinuation = header.Opcode == Opcode.Continuation;
            if (!header.IsControl && isContinuation != partial.InMessage)
                return FrameEvent.ProtocolError;
            partial.BeginFrame(header);
        }

        Span<byte> body = input.Slice(consumed, (int)Math.Min(partial.Missing, (ulong)(input.Length - consumed)));
        consumed += body.Length;
        Masking.Apply(body, partial.Header.Key, (int)partial.Phase);

        if (partial.Header.IsControl)
            return ReadControl(partial, body, out payload);
        if (!partial.TryAppend(body))
            return FrameEvent.InvalidUtf8;
        if (partial.Missing > 0)
            return FrameEvent.NeedMore;
        partial.EndFrame();
        if (!partial.Header.IsFinal)
            return FrameEvent.Fragment;
        partial.IsDelivered = true;
        payload = partial.Message;
        bool endsInsideCharacter = partial.MessageOpcode == Opcode.Text && !partial.IsValidated;
        return endsInsideCharacter ? FrameEvent.InvalidUtf8 : partial.MessageOpcode == Opcode.Text ? FrameEvent.Text : FrameEvent.Binary;
    }

    private static FrameEvent ReadControl(PartialMessage partial, Span<byte> body, out Span<byte> payload)
    {
        payload = partial.GatherControl(body);
        if (partial.Missing > 0)
            return FrameEvent.NeedMore;
        partial.EndFrame();
        // Outside a message nothing is left to remember, but the payload must outlive this call.
        partial.IsDelivered = !partial.InMessage;
        return ControlEvent(partial.Header.Opcode, payload);
    }

    /// <summary>What the header alone can be refused for, given the message under way.</summary>
    private static FrameEvent Check(in FrameHeader header, int messageLength, int fragments, FrameLimits limits)
    {
        if (header.IsControl)
            return FrameEvent.NeedMore;
        if (header.Opcode == Opcode.Binary && !limits.AcceptsBinary)
            return FrameEvent.BinaryRefused;
        if (header.Length > (ulong)(limits.MaxMessage - messageLength))
            return FrameEvent.TooBig;
        return fragments >= limits.MaxFragments ? FrameEvent.TooManyFragments : FrameEvent.NeedMore;
    }

    private static FrameEvent MessageEvent(Opcode opcode, ReadOnlySpan<byte> payload) =>
        opcode == Opcode.Binary ? FrameEvent.Binary : Utf8.IsValid(payload) ? FrameEvent.Text : FrameEvent.InvalidUtf8;

    private static FrameEvent ControlEvent(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        if (opcode != Opcode.Close)
            return opcode == Opcode.Ping ? FrameEvent.Ping : FrameEvent.Pong;
        if (payload.IsEmpty)
            return FrameEvent.Close;
        if (payload.Length == 1 || !CloseCode.MayBeSent(BinaryPrimitives.ReadUInt16BigEndian(payload)))
            return FrameEvent.ProtocolError;
        return Utf8.IsValid(payload[2..]) ? FrameEvent.Close : FrameEvent.InvalidUtf8;
    }
}
