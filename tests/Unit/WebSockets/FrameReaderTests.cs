using System.Text;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.WebSockets;

/// <summary>RFC 6455, section 5, rule by rule; every stream is read whole and octet by octet.</summary>
public sealed class FrameReaderTests
{
    private static readonly byte[] _hello = "Hello"u8.ToArray();

    [Fact]
    public void The_masked_sample_of_RFC_6455_is_Hello() =>
        AssertEvents(Convert.FromHexString("818537fa213d7f9f4d5158"), "Text 48656C6C6F");

    [Theory]
    [InlineData(1, "Text")]
    [InlineData(2, "Binary")]
    [InlineData(9, "Ping")]
    [InlineData(10, "Pong")]
    public void Every_opcode_has_its_event(byte opcode, string expected)
    {
        AssertEvents(ClientFrames.Frame((Opcode)opcode, _hello), FrameScript.Any, $"{expected} 48656C6C6F");
        AssertEvents(ClientFrames.Frame((Opcode)opcode, []), FrameScript.Any, $"{expected} ");
    }

    [Theory]
    [InlineData(3), InlineData(4), InlineData(5), InlineData(6), InlineData(7)]
    [InlineData(11), InlineData(12), InlineData(13), InlineData(14), InlineData(15)]
    public void Reserved_opcodes_are_refused(int opcode) => AssertEvents(ClientFrames.Header((byte)(0x80 | opcode), 0), "ProtocolError");

    [Theory]
    [InlineData(0xC1), InlineData(0xA1), InlineData(0x91), InlineData(0xC9), InlineData(0xF0)]
    public void Reserved_bits_are_refused_at_the_first_octet(int first) => AssertEvents([(byte)first], "ProtocolError");

    [Fact]
    public void An_unmasked_frame_is_refused_at_the_second_octet() => AssertEvents([0x81, 0x05], "ProtocolError");

    [Theory]
    [InlineData((byte)Opcode.Ping), InlineData((byte)Opcode.Pong), InlineData((byte)Opcode.Close)]
    public void Control_frames_are_whole_and_short(byte opcode)
    {
        AssertEvents(ClientFrames.Header(opcode, 0), "ProtocolError");
        AssertEvents([(byte)(0x80 | opcode), 0x80 | 126], "ProtocolError");
        AssertEvents([(byte)(0x80 | opcode), 0x80 | 127], "ProtocolError");
        if ((Opcode)opcode != Opcode.Close)
            AssertEvents(ClientFrames.Frame((Opcode)opcode, new byte[125]), $"{(Opcode)opcode} {new string('0', 250)}");
    }

    [Theory]
    [InlineData(0UL, 2), InlineData(125UL, 2), InlineData(0UL, 8), InlineData(126UL, 8), InlineData(65535UL, 8)]
    [InlineData(1UL << 63, 8), InlineData(ulong.MaxValue, 8)]
    public void A_length_that_is_not_minimal_or_has_the_highest_bit_is_refused(ulong length, int lengthSize) =>
        AssertEvents(ClientFrames.Header(0x81, length, lengthSize: lengthSize), "ProtocolError");

    [Theory]
    [InlineData(65537UL), InlineData(long.MaxValue)]
    public void A_promise_of_too_much_is_refused_by_the_header_alone(ulong length) =>
        AssertEvents(ClientFrames.Header(0x81, length), "TooBig");

    [Fact]
    public void A_continuation_needs_a_message_and_a_message_needs_continuations()
    {
        AssertEvents(ClientFrames.Frame(Opcode.Continuation, _hello), "ProtocolError");
        AssertEvents(ClientFrames.Frame(Opcode.Continuation, _hello, isFinal: false), "ProtocolError");
        byte[] first = ClientFrames.Frame(Opcode.Text, _hello, isFinal: false);
        AssertEvents([.. first, .. first], "Fragment", "ProtocolError");
        AssertEvents([.. first, .. ClientFrames.Text("x")], "Fragment", "ProtocolError");
    }

    [Fact]
    public void Control_frames_may_stand_between_fragments()
    {
        byte[] stream =
        [
            .. ClientFrames.Frame(Opcode.Text, "He"u8.ToArray(), isFinal: false), .. ClientFrames.Ping("p"),
            .. ClientFrames.Frame(Opcode.Continuation, [], isFinal: false), .. ClientFrames.Pong(),
            .. ClientFrames.Frame(Opcode.Continuation, "llo"u8.ToArray()), .. ClientFrames.Ping("q"),
        ];
        AssertEvents(stream, "Fragment", "Ping 70", "Fragment", "Pong ", "Text 48656C6C6F", "Ping 71");
    }

    [Fact]
    public void A_close_between_fragments_is_a_close() =>
        AssertEvents([.. ClientFrames.Frame(Opcode.Text, _hello, isFinal: false), .. ClientFrames.Close(1000)], "Fragment", "Close 03E8");

    [Theory]
    [InlineData(1000), InlineData(1001), InlineData(1002), InlineData(1003), InlineData(1007), InlineData(1008), InlineData(1009)]
    [InlineData(1010), InlineData(1011), InlineData(1012), InlineData(1013), InlineData(1014), InlineData(3000), InlineData(3999), InlineData(4000), InlineData(4999)]
    public void Close_codes_that_may_be_sent_pass(int code) => AssertEvents(ClientFrames.Close(code), $"Close {code:X4}");

    [Theory]
    [InlineData(0), InlineData(1), InlineData(999), InlineData(1004), InlineData(1005), InlineData(1006), InlineData(1015), InlineData(1016)]
    [InlineData(1100), InlineData(2000), InlineData(2999), InlineData(5000), InlineData(65535)]
    public void Other_close_codes_are_refused(int code) => AssertEvents(ClientFrames.Close(code), "ProtocolError");

    [Fact]
    public void A_close_payload_is_empty_or_has_a_whole_code_and_valid_text()
    {
        AssertEvents(ClientFrames.Close(), "Close ");
        AssertEvents(ClientFrames.Frame(Opcode.Close, [3]), "ProtocolError");
        AssertEvents(ClientFrames.Close(1000, "bye"), "Close 03E8627965");
        AssertEvents(ClientFrames.Frame(Opcode.Close, [3, 0xE8, 0xFF]), "InvalidUtf8");
    }

    [Fact]
    public void A_binary_message_is_refused_where_only_text_is_spoken()
    {
        AssertEvents(ClientFrames.Frame(Opcode.Binary, [1]), "BinaryRefused");
        AssertEvents(ClientFrames.Frame(Opcode.Binary, [], isFinal: false), "BinaryRefused");
    }

    [Fact]
    public void Binary_need_not_be_UTF_8() => AssertEvents(ClientFrames.Fragments(Opcode.Binary, [0xFF], [0xC0]), FrameScript.Any, "Fragment", "Binary FFC0");

    [Fact]
    public void The_limit_of_a_message_is_exact_whole_and_in_fragments()
    {
        FrameLimits limits = FrameScript.TextOnly with { MaxMessage = 300 };
        string fits = $"Text {string.Concat(Enumerable.Repeat("78", 300))}";
        AssertEvents(ClientFrames.Text(new string('x', 300)), limits, fits);
        AssertEvents(ClientFrames.Text(new string('x', 301)), limits, "TooBig");
        AssertEvents(ClientFrames.Fragments(Opcode.Text, Xs(200), Xs(100)), limits, "Fragment", fits);
        AssertEvents(ClientFrames.Fragments(Opcode.Text, Xs(200), Xs(101)), limits, "Fragment", "TooBig");
        AssertEvents(ClientFrames.Fragments(Opcode.Text, Xs(300), Xs(0), Xs(1)), limits, "Fragment", "Fragment", "TooBig");
        // The next message starts from zero.
        AssertEvents([.. ClientFrames.Text(new string('x', 300)), .. ClientFrames.Text(new string('x', 300))], limits, fits, fits);
    }

    [Fact]
    public void The_limit_of_fragments_is_exact()
    {
        byte[][] parts = [.. Enumerable.Repeat<byte[]>([], 64)];
        Assert.Equal("Text ", FrameScript.Read(ClientFrames.Fragments(Opcode.Text, parts), FrameScript.TextOnly)[^1]);
        Assert.Equal("TooManyFragments", FrameScript.Read(ClientFrames.Fragments(Opcode.Text, [.. parts, []]), FrameScript.TextOnly)[^1]);
    }

    [Fact]
    public void A_text_that_is_cut_inside_a_character_at_its_end_is_invalid()
    {
        AssertEvents(ClientFrames.Frame(Opcode.Text, [0xE2, 0x82]), "InvalidUtf8");
        AssertEvents(ClientFrames.Fragments(Opcode.Text, [0xE2], [0x82]), "Fragment", "InvalidUtf8");
        AssertEvents(ClientFrames.Fragments(Opcode.Text, [0xE2], [0x82], [0xAC]), "Fragment", "Fragment", "Text E282AC");
    }

    [Fact]
    public void An_impossible_octet_fails_before_the_rest_of_the_frame_has_come()
    {
        byte[] frame = ClientFrames.Frame(Opcode.Text, [0x41, 0xED, 0xA0, .. Xs(1000)]);
        int header = frame.Length - 1003;
        Assert.Empty(FrameScript.Read(frame[..(header + 2)], FrameScript.TextOnly));
        Assert.Equal(["InvalidUtf8"], FrameScript.Read(frame[..(header + 3)], FrameScript.TextOnly));
    }

    [Fact]
    public void A_length_header_alone_allocates_next_to_nothing()
    {
        FrameLimits huge = new(MaxMessage: int.MaxValue, MaxFragments: 64, AcceptsBinary: true);
        BufferPool buffers = new();
        PartialMessagePool pool = new(buffers);
        byte[] header = ClientFrames.Header(0x82, int.MaxValue);
        byte[] received = Xs(10_000);
        FrameReader reader = default;
        long before = GC.GetAllocatedBytesForCurrentThread();
        reader.Read(header, huge, pool, out _, out _);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2048);

        // Ten thousand octets have come: at most twice that, rounded up, is held.
        before = GC.GetAllocatedBytesForCurrentThread();
        reader.Read(received, huge, pool, out _, out _);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 10_000, 40_000);
        reader.Release(pool);
        Assert.Equal(0, buffers.Lent);
    }

    [Fact]
    public void Between_messages_nothing_is_lent()
    {
        BufferPool buffers = new();
        PartialMessagePool pool = new(buffers);
        FrameReader reader = default;
        foreach (byte octet in ClientFrames.Text("split"))
            reader.Read([octet], FrameScript.TextOnly, pool, out _, out _);
        Assert.Equal(FrameEvent.NeedMore, reader.Read([], FrameScript.TextOnly, pool, out _, out _));
        Assert.Equal(0, pool.Lent + buffers.Lent);
    }

    private static byte[] Xs(int count) => Encoding.ASCII.GetBytes(new string('x', count));

    private static void AssertEvents(byte[] stream, params string[] expected) => AssertEvents(stream, FrameScript.TextOnly, expected);

    private static void AssertEvents(byte[] stream, FrameLimits limits, params string[] expected)
    {
        Assert.Equal(expected, FrameScript.Read(stream, limits));
        Assert.Equal(expected, FrameScript.ReadByOctets(stream, limits));
    }
}
