using System.Text;
using System.Text.Json;
using ChannelServer.Relay;
using ChannelServer.WebSockets;
using CsCheck;

namespace ChannelServer.Tests.Relay;

public sealed class EnvelopeTests
{
    private static readonly Gen<string> _text = Gen.OneOf(
        Gen.String[Gen.Char['\u0000', '\ud7ff'], 0, 200],
        Gen.String[Gen.Char['\u0000', '\u0080'], 0, 200],
        Gen.Int[0, 70_000].Select(length => new string('x', length)),
        Gen.Const("\U0001F98A \" \\ / \u2028 \u2029 \u007f </script>"));

    [Fact]
    public void The_frame_of_the_protocol_is_exact() =>
        Assert.Equal(
            "\u0081V{\"message\":\"aBc12e...\",\"sender\":{\"city\":\"Mountain View\",\"remote\":\"10.0.0.1\",\"ua\":\"x\"}}",
            Encoding.Latin1.GetString(new Envelope().Encode("aBc12e..."u8, """{"city":"Mountain View","remote":"10.0.0.1","ua":"x"}"""u8)));

    [Fact]
    public void Any_text_round_trips_and_the_keys_are_exact()
    {
        _text.Sample(text =>
        {
            Envelope envelope = new();
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            ReadOnlySpan<byte> frame = envelope.Encode(utf8, """{"ua":"a"}"""u8);
            int header = frame[1] switch { 126 => 4, 127 => 10, _ => 2 };
            Assert.Equal(frame.Length, FrameWriter.FrameSize(frame));
            Assert.Equal(FrameWriter.HeaderSize(frame.Length - header), header);
            using JsonDocument json = JsonDocument.Parse(frame[header..].ToArray());
            Assert.Equal(["message", "sender"], json.RootElement.EnumerateObject().Select(property => property.Name));
            Assert.Equal(text, json.RootElement.GetProperty("message").GetString());
            Assert.Equal("""{"ua":"a"}""", json.RootElement.GetProperty("sender").GetRawText());
        }, iter: 1000);
    }

    [Fact]
    public void A_message_does_not_see_the_one_before_it()
    {
        Envelope envelope = new();
        envelope.Encode(Encoding.ASCII.GetBytes(new string('s', 5000)), "{}"u8);
        Assert.Equal("""{"message":"a","sender":{}}""", Encoding.ASCII.GetString(envelope.Encode("a"u8, "{}"u8)[2..]));
    }

    [Theory]
    [InlineData("\u0000\u001f", "\\u0000\\u001f")]
    [InlineData("\"\\\b\t\n\f\r", "\\\"\\\\\\b\\t\\n\\f\\r")]
    [InlineData("/<>&'é\u007f\u2028", "/<>&'é\u007f\u2028")]
    public void Only_what_JSON_demands_is_escaped(string text, string expected)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        byte[] escaped = new byte[utf8.Length * JsonText.MaxExpansion];
        int written = JsonText.Escape(utf8, escaped);
        Assert.Equal(expected, Encoding.UTF8.GetString(escaped.AsSpan(0, written)));
    }

    [Fact]
    public void The_greeting_is_byte_for_byte_Mozillas()
    {
        Assert.True(ChannelId.TryParse("IZ5B8Wj2qR1NlsNbSXQ2Fg"u8, out ChannelId id));
        Seat seat = new Channel { Id = id }.Sit(new Visitor(null, SenderMetadata.Empty, LanguagePriorityList.None), default);
        ReadOnlySpan<byte> frame = new Frames().Greeting(seat, isResumable: false, isResumed: false);
        Assert.Equal(
            "\u0081M{\"channelid\":\"IZ5B8Wj2qR1NlsNbSXQ2Fg\",\"link\":\"/v1/ws/IZ5B8Wj2qR1NlsNbSXQ2Fg\"}",
            Encoding.Latin1.GetString(frame));
    }
}
