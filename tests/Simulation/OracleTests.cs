using System.Text;
using System.Text.Unicode;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>The oracle is checked too, where something independent can tell.</summary>
public sealed class OracleTests
{
    [Fact]
    public void Its_chance_is_SplitMix64()
    {
        Prng chance = new(1234567);
        Assert.Equal(6457827717110365317UL, chance.Next());
        Assert.Equal(3203168211198807973UL, chance.Next());
        Assert.Equal(9817491932198370423UL, chance.Next());
    }

    [Fact]
    public void Its_rule_for_UTF8_agrees_with_the_platform()
    {
        byte[] thirds = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF];
        byte[] text = new byte[4];
        for (int pair = 0; pair < 65536; pair++)
        {
            foreach (byte third in thirds)
            {
                (text[0], text[1], text[2], text[3]) = ((byte)(pair >> 8), (byte)pair, third, 0x80);
                for (int length = 1; length <= 4; length++)
                    Assert.Equal(Utf8.IsValid(text.AsSpan(0, length)), IsValid(text.AsSpan(0, length)));
            }
        }
    }

    [Fact]
    public void Its_names_of_channels_are_base64url()
    {
        Prng chance = new(1);
        byte[] octets = new byte[16];
        for (int i = 0; i < 100; i++)
        {
            chance.Fill(octets);
            Assert.Equal(System.Buffers.Text.Base64Url.EncodeToString(octets), ModelText.ChannelName(octets));
        }
    }

    [Fact]
    public void It_does_not_take_wrong_octets_for_right_ones()
    {
        ModelSession session = new(0);
        session.Queue(new ModelFrame(ModelFrame.Text, "right"u8.ToArray()));
        session.Write([0x81, 5, (byte)'r']);
        Assert.Throws<SimulationFailure>(() => session.Write("ong"u8));
    }

    [Fact]
    public void It_reads_the_masked_hello_of_the_RFC()
    {
        // RFC 6455, 5.7.
        byte[] frame = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
        ClientStream stream = new(new Limits());
        for (int i = 0; i < frame.Length - 1; i++)
            Assert.Equal(Completed.Nothing, stream.Take(frame[i]));
        Assert.Equal(Completed.Text, stream.Take(frame[^1]));
        Assert.Equal("Hello", Encoding.UTF8.GetString(stream.Payload));
    }

    private static bool IsValid(ReadOnlySpan<byte> text)
    {
        Utf8Rule rule = new();
        foreach (byte octet in text)
        {
            if (!rule.Accepts(octet))
                return false;
        }
        return rule.IsBetweenCharacters;
    }
}
