using ChannelServer.WebSockets;

namespace ChannelServer.Tests.WebSockets;

public sealed class MaskingTests
{
    [Fact]
    public void Every_phase_and_length_equals_the_definition()
    {
        const uint Key = 0xD4C3B2A1;
        byte[] source = [.. Enumerable.Range(0, 300).Select(i => (byte)(i * 7))];
        for (int phase = 0; phase < 9; phase++)
        {
            for (int length = 0; length < 200; length++)
            {
                // An odd start, so that nothing is aligned by luck.
                byte[] actual = [.. source];
                Masking.Apply(actual.AsSpan(phase, length), Key, phase);
                byte[] expected = [.. source];
                for (int i = 0; i < length; i++)
                    expected[phase + i] ^= (byte)(Key >> (8 * ((phase + i) % 4)));
                Assert.Equal(expected, actual);
            }
        }
    }

    [Fact]
    public void The_sample_of_RFC_6455_unmasks_to_Hello()
    {
        byte[] octets = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        Masking.Apply(octets, 0x3d21fa37);
        Assert.Equal("Hello"u8.ToArray(), octets);
    }
}
