using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>
/// The frame that carries a message to its receivers: <c>{"message":"...","sender":{...}}</c>. Encoded once, into bytes that belong
/// to the shard and are valid until the next message; each receiver's outbox takes a copy.
/// </summary>
internal sealed class Envelope
{
    private byte[] _bytes = [];

    /// <summary>Encodes a message.</summary>
    /// <param name="text">The message, valid UTF-8.</param>
    /// <param name="sender">The sender object, braces included.</param>
    /// <returns>The whole frame.</returns>
    public ReadOnlySpan<byte> Encode(ReadOnlySpan<byte> text, ReadOnlySpan<byte> sender)
    {
        ReadOnlySpan<byte> beforeText = "{\"message\":\""u8;
        ReadOnlySpan<byte> beforeSender = "\",\"sender\":"u8;
        int most = FrameWriter.MaxHeader + beforeText.Length + (text.Length * JsonText.MaxExpansion) + beforeSender.Length + sender.Length + 1;
        if (_bytes.Length < most)
            _bytes = GC.AllocateUninitializedArray<byte>(most);

        // The header's size depends on the payload's, so the payload comes first and the header is put right before it.
        Span<byte> payload = _bytes.AsSpan(FrameWriter.MaxHeader);
        beforeText.CopyTo(payload);
        int length = beforeText.Length;
        length += JsonText.Escape(text, payload[length..]);
        beforeSender.CopyTo(payload[length..]);
        length += beforeSender.Length;
        sender.CopyTo(payload[length..]);
        length += sender.Length;
        payload[length++] = (byte)'}';

        int start = FrameWriter.MaxHeader - FrameWriter.HeaderSize(length);
        FrameWriter.WriteHeader(_bytes.AsSpan(start), Opcode.Text, length);
        return _bytes.AsSpan(start..(FrameWriter.MaxHeader + length));
    }
}
