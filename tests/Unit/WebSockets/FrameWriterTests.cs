using ChannelServer.WebSockets;

namespace ChannelServer.Tests.WebSockets;

public sealed class FrameWriterTests
{
    [Theory]
    [InlineData(0, "8100")]
    [InlineData(5, "8105")]
    [InlineData(125, "817D")]
    [InlineData(126, "817E007E")]
    [InlineData(65535, "817EFFFF")]
    [InlineData(65536, "817F0000000000010000")]
    public void A_header_is_in_the_shortest_form(int payload, string expected)
    {
        byte[] header = new byte[FrameWriter.MaxHeader];
        int written = FrameWriter.WriteHeader(header, Opcode.Text, payload);
        Assert.Equal(expected, Convert.ToHexString(header.AsSpan(0, written)));
        Assert.Equal(written, FrameWriter.HeaderSize(payload));
        Assert.Equal(written + payload, FrameWriter.FrameSize(header));
    }

    [Theory]
    [InlineData(0, "", "8800")]
    [InlineData(1000, "", "880203E8")]
    [InlineData(4404, "no", "880411346E6F")]
    public void A_close_frame_carries_its_code_and_text(int code, string text, string expected)
    {
        byte[] frame = new byte[FrameWriter.MaxControl];
        int written = FrameWriter.WriteClose(frame, (ushort)code, System.Text.Encoding.ASCII.GetBytes(text));
        Assert.Equal(expected, Convert.ToHexString(frame.AsSpan(0, written)));
    }
}
