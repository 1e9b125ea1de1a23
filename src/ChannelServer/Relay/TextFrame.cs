using System.Buffers.Text;
using ChannelServer.WebSockets;

namespace ChannelServer.Relay;

/// <summary>
/// A text frame under construction, in a buffer that belongs to the shard: what <see cref="End"/> returns is valid until the next
/// <see cref="Begin"/>.
/// </summary>
internal sealed class TextFrame
{
    /// <summary>Digits of the longest number, and its sign.</summary>
    private const int MaxDigits = 20;

    private byte[] _bytes = new byte[1024];
    private int _end;

    public TextFrame Begin()
    {
        // The header's size depends on the payload's: it is put right before the payload in the end.
        _end = FrameWriter.MaxHeader;
        return this;
    }

    public TextFrame Add(ReadOnlySpan<byte> octets)
    {
        octets.CopyTo(Reserve(octets.Length));
        _end += octets.Length;
        return this;
    }

    public TextFrame Add(long number)
    {
        Utf8Formatter.TryFormat(number, Reserve(MaxDigits), out int digits);
        _end += digits;
        return this;
    }

    public TextFrame Add(bool value) => Add(value ? "true"u8 : "false"u8);

    public TextFrame Add(ChannelId id)
    {
        id.Format(Reserve(ChannelId.Characters));
        _end += ChannelId.Characters;
        return this;
    }

    public TextFrame Add(in ResumeToken token)
    {
        token.Format(Reserve(ResumeToken.Characters)[..ResumeToken.Characters]);
        _end += ResumeToken.Characters;
        return this;
    }

    /// <summary>Adds text as it stands between the quotes of a JSON string.</summary>
    public TextFrame AddEscaped(ReadOnlySpan<byte> utf8)
    {
        _end += JsonText.Escape(utf8, Reserve(utf8.Length * JsonText.MaxExpansion));
        return this;
    }

    /// <summary>The whole frame.</summary>
    public ReadOnlySpan<byte> End()
    {
        int length = _end - FrameWriter.MaxHeader;
        int start = FrameWriter.MaxHeader - FrameWriter.HeaderSize(length);
        FrameWriter.WriteHeader(_bytes.AsSpan(start), Opcode.Text, length);
        return _bytes.AsSpan(start.._end);
    }

    private Span<byte> Reserve(int octets)
    {
        if (_bytes.Length - _end < octets)
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _end + octets));
        return _bytes.AsSpan(_end);
    }
}
