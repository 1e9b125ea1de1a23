using System.Text;
using ChannelServer.Relay;
using CsCheck;

namespace ChannelServer.Tests.Relay;

public sealed class MessageTextTests
{
    /// <summary>The code points with the property White_Space of Unicode, which is what Rust's trim removes.</summary>
    private static readonly int[] _whiteSpace =
    [
        0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
        0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
    ];

    [Fact]
    public void Exactly_the_white_space_of_Unicode_is_trimmed()
    {
        for (int point = 0; point <= 0x10FFFF; point++)
        {
            if (!Rune.IsValid(point))
                continue;
            string one = new Rune(point).ToString();
            string expected = Array.IndexOf(_whiteSpace, point) >= 0 ? "x" : one + "x" + one;
            string actual = Trim(one + "x" + one);
            if (expected != actual)
                Assert.Fail($"U+{point:X4}");
        }
    }

    [Theory]
    [InlineData("", "")]
    [InlineData(" \t\r\n", "")]
    [InlineData("\u3000\u00a0", "")]
    [InlineData("  a b  ", "a b")]
    [InlineData("a", "a")]
    [InlineData("\u200bx\ufeff", "\u200bx\ufeff")]
    [InlineData("\u0085\u2029é\u1680", "é")]
    public void Only_what_surrounds_is_trimmed(string text, string trimmed) => Assert.Equal(trimmed, Trim(text));

    [Fact]
    public void Any_text_is_trimmed_like_a_string()
    {
        Gen<char> character = Gen.OneOf(Gen.Int[0, _whiteSpace.Length - 1].Select(i => (char)_whiteSpace[i]), Gen.Char['\u0000', '\ud7ff']);
        Gen.String[character, 0, 12].Sample(text => Assert.Equal(text.Trim(), Trim(text)), iter: 5000);
    }

    private static string Trim(string text) => Encoding.UTF8.GetString(MessageText.Trim(Encoding.UTF8.GetBytes(text)));
}
