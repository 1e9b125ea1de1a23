using System.Diagnostics;
using System.Text;
using ChannelServer.Http;
using ChannelServer.Relay;

namespace ChannelServer.Tests.Http;

public sealed class AcceptLanguageTests
{
    [Theory]
    [InlineData("", "", "")]
    [InlineData("de", "de", "")]
    [InlineData("de, en", "de en", "")]
    [InlineData("en;q=0.8, de", "de en", "")]
    [InlineData("en-US,en;q=0.5", "en-US en", "")]
    [InlineData("fr;q=0.9,de;q=0.10,en;q=0.5", "fr en de", "")]
    [InlineData("a;q=0.5,b;q=0.50,c;q=0.500", "a b c", "")]
    [InlineData("a;q=0.001,b;q=0.002", "b a", "")]
    [InlineData("a;q=1,b;q=1.0,c;q=1.000,d", "a b c d", "")]
    [InlineData("de;q=0, en", "en", "de")]
    [InlineData("de;q=0.0, fr;q=0.000,en;q=0.", "", "de fr en")]
    [InlineData("*", "*", "")]
    [InlineData("*;q=0.5, fr-CH", "fr-CH *", "")]
    [InlineData("*;q=0", "", "*")]
    [InlineData("de ; Q=0.3 , en\t;\tq=0.4", "en de", "")]
    [InlineData(",,de,,", "de", "")]
    [InlineData("de;q=2,en", "en", "")]
    [InlineData("de;q=1.001,en", "en", "")]
    [InlineData("de;q=0.1234,en", "en", "")]
    [InlineData("de;q=,en", "en", "")]
    [InlineData("de;q,en", "en", "")]
    [InlineData("de;,en", "en", "")]
    [InlineData("de;q=-1,en", "en", "")]
    [InlineData("de;q=.5,en", "en", "")]
    [InlineData("de;q=0,5", "", "de")]
    [InlineData("de;q= 0.5,en", "en", "")]
    [InlineData("de;q=0.5;q=0.4,en", "en", "")]
    [InlineData("de;level=1,en", "en", "")]
    [InlineData("de;q=0.x,en", "en", "")]
    [InlineData("-,en", "en", "")]
    [InlineData("de-,en", "en", "")]
    [InlineData("-de,en", "en", "")]
    [InlineData("de--CH,en", "en", "")]
    [InlineData("abcdefghi,en", "en", "")]
    [InlineData("*-CH,en", "en", "")]
    [InlineData("d3,en", "en", "")]
    [InlineData("d e,en", "en", "")]
    [InlineData("d\u00e9,en", "en", "")]
    [InlineData("zh-Hans-CN;q=0.7", "zh-Hans-CN", "")]
    [InlineData("es-419", "es-419", "")]
    [InlineData("a,b,c,d,e,f,g,h,i,j", "a b c d e f g h", "")]
    [InlineData("a;q=0,b,c,d,e,f,g,h,i", "b c d e f g h", "a")]
    public void Reads_ranges_in_the_order_of_their_quality(string header, string tags, string excluded)
    {
        LanguagePriorityList languages = AcceptLanguage.Parse(Encoding.Latin1.GetBytes(header));
        Assert.Equal(tags, string.Join(' ', languages.Tags));
        Assert.Equal(excluded, string.Join(' ', languages.Excluded));
    }

    [Theory]
    [InlineData(253, "de")]
    [InlineData(254, "de")]
    [InlineData(255, "d")]
    [InlineData(255, "")]
    public void Reads_256_octets_and_no_part_of_a_range(int before, string expected)
    {
        // Fills the given octets with commas; then comes a range that ends at, or runs over, the limit.
        string tag = expected.Length == 0 ? "de" : expected;
        string header = new string(',', before) + tag + ",fr";
        LanguagePriorityList languages = AcceptLanguage.Parse(Encoding.ASCII.GetBytes(header));
        Assert.Equal(expected, string.Join(' ', languages.Tags));
    }

    [Theory]
    [InlineData(254, "de")]
    [InlineData(255, "")]
    public void The_end_of_the_header_is_the_end_of_a_range(int before, string expected)
    {
        LanguagePriorityList languages = AcceptLanguage.Parse(Encoding.ASCII.GetBytes(new string(',', before) + "de"));
        Assert.Equal(expected, string.Join(' ', languages.Tags));
    }

    [Fact]
    public void All_lines_are_one_list()
    {
        LanguagePriorityList languages = AcceptLanguage.Of(Heads.With("Accept-Language: en;q=0.5", "Accept-Language: de"));
        Assert.Equal(["de", "en"], languages.Tags);
        Assert.Empty(AcceptLanguage.Of(Heads.With()).Tags);
        string[] many = [.. Enumerable.Repeat("Accept-Language: " + new string(',', 90), 3), "Accept-Language: de"];
        Assert.Empty(AcceptLanguage.Of(Heads.With(many)).Tags);
    }

    [Fact]
    public void An_endless_header_costs_nothing()
    {
        byte[] header = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("a;q=0.1,", 30 * 1024 / 8)));
        AcceptLanguage.Parse(header);
        TimeSpan best = TimeSpan.MaxValue;
        for (int round = 0; round < 5; round++)
        {
            long began = Stopwatch.GetTimestamp();
            AcceptLanguage.Parse(header);
            best = TimeSpan.FromTicks(Math.Min(best.Ticks, Stopwatch.GetElapsedTime(began).Ticks));
        }
        Assert.True(best < TimeSpan.FromMilliseconds(1), $"{best.TotalMicroseconds} µs");
    }
}
