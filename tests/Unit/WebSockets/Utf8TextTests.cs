using System.Text;
using ChannelServer.WebSockets;
using CsCheck;

namespace ChannelServer.Tests.WebSockets;

public sealed class Utf8TextTests
{
    /// <summary>Octets that stand at the borders of the table of RFC 3629, and some harmless ones.</summary>
    private static readonly byte[] _borders =
    [
        0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ];

    private static readonly Gen<byte> _border = Gen.Int[0, _borders.Length - 1].Select(i => _borders[i]);

    [Fact]
    public void Nearly_valid_octets_fail_exactly_where_the_reference_does() =>
        Gen.OneOf(_border.Array[0, 8], Gen.Byte.Array[0, 8]).Sample(AssertLikeReference, iter: 20_000);

    [Fact]
    public void Texts_with_one_octet_changed_fail_exactly_where_the_reference_does() =>
        Gen.Select(Gen.String[Gen.Char['\u0000', '\ud7ff'], 1, 10], Gen.Int[0, 30], _border).Sample((text, place, octet) =>
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            AssertLikeReference(bytes);
            bytes[place % bytes.Length] = octet;
            AssertLikeReference(bytes);
        }, iter: 5000);

    [Fact]
    public void Every_pair_and_triple_of_border_octets_is_like_the_reference()
    {
        foreach (byte first in _borders)
        {
            foreach (byte second in _borders)
            {
                foreach (byte third in _borders)
                    AssertLikeReference([first, second, third]);
            }
        }
    }

    /// <summary>Fed octet by octet and in every two pieces, the frame reader fails at the octet where the reference fails.</summary>
    private static void AssertLikeReference(byte[] text)
    {
        (int failsAt, bool endsWhole) = Reference(text);
        byte[] frame = ClientFrames.Frame(Opcode.Text, text, isFinal: false);
        int header = frame.Length - text.Length;
        for (int length = 1; length <= text.Length; length++)
        {
            bool fails = FrameScript.ReadByOctets(frame[..(header + length)], FrameScript.TextOnly).Contains("InvalidUtf8");
            Assert.Equal(length > failsAt, fails);
            bool failsInTwo = FrameScript.Read(frame, FrameScript.TextOnly, header + length).Contains("InvalidUtf8");
            Assert.Equal(failsAt < text.Length, failsInTwo);
        }
        string whole = FrameScript.Read(ClientFrames.Frame(Opcode.Text, text), FrameScript.TextOnly)[^1];
        Assert.Equal(failsAt == text.Length && endsWhole, whole.StartsWith("Text", StringComparison.Ordinal));
    }

    /// <summary>The table of RFC 3629, section 4, as plainly as it can be written.</summary>
    private static (int FailsAt, bool EndsWhole) Reference(byte[] text)
    {
        int missing = 0;
        byte low = 0x80;
        byte high = 0xBF;
        for (int i = 0; i < text.Length; i++)
        {
            byte octet = text[i];
            if (missing > 0)
            {
                if (octet < low || octet > high)
                    return (i, false);
                missing--;
                (low, high) = (0x80, 0xBF);
                continue;
            }
            (missing, low, high) = octet switch
            {
                < 0x80 => (0, (byte)0x80, (byte)0xBF),
                >= 0xC2 and <= 0xDF => (1, (byte)0x80, (byte)0xBF),
                0xE0 => (2, (byte)0xA0, (byte)0xBF),
                0xED => (2, (byte)0x80, (byte)0x9F),
                >= 0xE1 and <= 0xEF => (2, (byte)0x80, (byte)0xBF),
                0xF0 => (3, (byte)0x90, (byte)0xBF),
                >= 0xF1 and <= 0xF3 => (3, (byte)0x80, (byte)0xBF),
                0xF4 => (3, (byte)0x80, (byte)0x8F),
                _ => (-1, (byte)0, (byte)0),
            };
            if (missing < 0)
                return (i, false);
        }
        return (text.Length, missing == 0);
    }
}
