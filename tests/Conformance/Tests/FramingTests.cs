using ChannelServer.Conformance.Wire;
using static ChannelServer.Conformance.Wire.ClientFrame;

namespace ChannelServer.Conformance.Tests;

/// <summary>A client that breaks RFC 6455 ends its own session with the right code, and nobody else's.</summary>
public sealed class FramingTests(Servers servers)
{
    private static readonly byte[] _hello = "hello"u8.ToArray();

    public static TheoryData<string, byte[]> ProtocolErrors
    {
        get
        {
            TheoryData<string, byte[]> rows = new()
            {
                { "RSV1 on a text", Of(0xC1, _hello) },
                { "RSV2 on a text", Of(0xA1, _hello) },
                { "RSV3 on a text", Of(0x91, _hello) },
                { "RSV1 on a ping", Of(0xC9, _hello) },
                { "RSV1 on a close", Of(0xC8, ClosePayload(1000, [])) },
                { "RSV1 on a continuation", [.. Of(TextOpcode, _hello), .. Of(0xC0, _hello)] },
                { "an unmasked text", Unmasked(Frame.Text, _hello) },
                { "an unmasked ping", Unmasked(Frame.Ping, _hello) },
                { "an unmasked empty text", Unmasked(Frame.Text, []) },
                { "an unmasked close", Unmasked(Frame.Close, ClosePayload(1000, [])) },
                { "5 octets in a 16-bit length", Of(Frame.Text, _hello, LengthForm.Bits16) },
                { "125 octets in a 16-bit length", Of(Frame.Text, new byte[125], LengthForm.Bits16) },
                { "5 octets in a 64-bit length", Of(Frame.Text, _hello, LengthForm.Bits64) },
                { "65535 in a 64-bit length", Head(Frame.Text, 65535, LengthForm.Bits64) },
                { "a length of 2^63", Head(Frame.Text, 1ul << 63) },
                { "a length of 2^64-1", Head(Frame.Text, ulong.MaxValue) },
                { "a ping of 126 octets", Of(Frame.Ping, new byte[126]) },
                { "a pong of 126 octets", Of(Frame.Pong, new byte[126]) },
                { "a close of 126 octets", Of(Frame.Close, new byte[126]) },
                { "a ping in a 16-bit length", Of(Frame.Ping, _hello, LengthForm.Bits16) },
                { "a fragmented ping", Of(0x09, _hello) },
                { "a fragmented pong", Of(0x0A, _hello) },
                { "a fragmented close", Of(0x08, ClosePayload(1000, [])) },
                { "a continuation of nothing", Of(Fin | Continuation, _hello) },
                { "an unfinished continuation of nothing", Of(Continuation, _hello) },
                { "a text inside a fragmented message", [.. Of(TextOpcode, _hello), .. Text("whole")] },
                { "the start of another message inside one", [.. Of(TextOpcode, _hello), .. Of(TextOpcode, _hello)] },
                { "a close of one octet", Of(Frame.Close, [3]) },
            };
            foreach (int opcode in (int[])[0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF])
                rows.Add($"the reserved opcode {opcode:X}", Of(Fin | opcode, _hello));
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(ProtocolErrors))]
    public Task A_protocol_error_ends_its_session_with_1002(string what, byte[] octets) => EndsSenderAsync(what, octets, "close-1002");

    [Theory]
    [InlineData(Fin | BinaryOpcode, "hello")]
    [InlineData(Fin | BinaryOpcode, "")]
    [InlineData(BinaryOpcode, "first fragment")]
    public Task A_binary_message_ends_its_session_with_1003(int firstOctet, string payload) =>
        EndsSenderAsync("binary", Of(firstOctet, Encoding.ASCII.GetBytes(payload)), "close-1003");

    public static TheoryData<string, byte[]> NotUtf8 => new()
    {
        { "an octet that never occurs", [0xFF] },
        { "a continuation octet alone", [0x80] },
        { "an overlong slash of two octets", [0xC0, 0xAF] },
        { "an overlong NUL of two octets", [0xC0, 0x80] },
        { "an overlong form of three octets", [0xE0, 0x80, 0xAF] },
        { "an overlong form of four octets", [0xF0, 0x80, 0x80, 0xAF] },
        { "the first high surrogate", [0xED, 0xA0, 0x80] },
        { "the last low surrogate", [0xED, 0xBF, 0xBF] },
        { "a surrogate pair (CESU-8)", [0xED, 0xA0, 0xBE, 0xED, 0xB6, 0x8A] },
        { "a code point over U+10FFFF", [0xF4, 0x90, 0x80, 0x80] },
        { "a sequence of five octets", [0xF8, 0x88, 0x80, 0x80, 0x80] },
        { "a code point cut off by ASCII", [0xE2, 0x82, 0x41] },
        { "a code point cut off by the end", [0x41, 0xE2, 0x82] },
        { "a code point of four cut off by the end", [0xF0, 0x9F, 0xA6] },
    };

    [Theory]
    [MemberData(nameof(NotUtf8))]
    public Task A_text_that_is_not_UTF_8_ends_its_session_with_1007(string what, byte[] text) =>
        EndsSenderAsync(what, [.. Text([.. "before "u8, .. text])], "close-1007");

    [Theory]
    [MemberData(nameof(NotUtf8))]
    public Task So_does_one_in_fragments_of_one_octet(string what, byte[] text) => EndsSenderAsync(
        what,
        [.. text.SelectMany((octet, i) => Of((i == 0 ? TextOpcode : Continuation) | (i == text.Length - 1 ? Fin : 0), [octet]))],
        "close-1007");

    [Fact]
    public Task Invalid_UTF_8_fails_before_the_message_ends() =>
        EndsSenderAsync("a first fragment", Of(TextOpcode, [0x41, 0xFF, 0x41]), "close-1007");

    [Fact]
    public Task Invalid_UTF_8_fails_before_the_frame_ends() =>
        EndsSenderAsync("the start of a frame", Text([0x41, 0x42, 0xFF, .. new byte[1000]])[..^900], "close-1007");

    [Fact]
    public Task A_surrogate_fails_at_its_second_octet() =>
        EndsSenderAsync("ED A0", Of(TextOpcode, [0xED, 0xA0]), "close-1007");

    [Theory]
    [InlineData("\ud7ff\ue000\ufffd")]
    [InlineData("\udbff\udfff\ud800\udc00")]
    [InlineData("\u0000\u007f\u0080\u07ff\u0800")]
    public async Task The_edges_of_UTF_8_pass(string text)
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await pair.First.SendTextAsync(text);
        await pair.Second.ExpectMessagesAsync(text);
    }

    [Fact]
    public async Task A_continuation_behind_a_whole_message_continues_nothing()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await pair.Second.SendAsync([.. Fragments("a", "b"), Of(Fin | Continuation, _hello)]);
        await pair.Second.ExpectCloseAsync("close-1002");
        await pair.First.ExpectMessagesAsync("ab");
    }

    [Fact]
    public async Task What_was_whole_before_the_error_is_relayed()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await pair.Second.SendAsync(Text("whole"), Of(0xC1, _hello), Text("too late"));
        await pair.Second.ExpectCloseAsync("close-1002");
        await pair.First.ExpectMessagesAsync("whole");
        await pair.First.ExpectNothingAsync();
    }

    [Fact]
    public async Task An_error_with_much_unread_behind_it_still_ends_cleanly()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        byte[][] ten = [.. Enumerable.Repeat(Text(new string('x', 30_000)), 10)];
        Task sending = pair.Second.SendAsync([Of(0xC1, _hello), .. ten]);
        await pair.Second.ExpectCloseAsync("close-1002");
        await sending;
        await pair.First.ExpectNothingAsync();
    }

    private async Task EndsSenderAsync(string what, byte[] octets, string close)
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await using ChannelClient third = await ChannelClient.JoinAsync(await servers.DefaultAsync(), pair.First.ChannelId);
        TestContext.Current.AddAttachment("what", what);
        await pair.Second.SendAsync(octets);
        await pair.Second.ExpectCloseAsync(close);
        await Pair.ExpectRelayAsync(pair.First, third);
    }
}
