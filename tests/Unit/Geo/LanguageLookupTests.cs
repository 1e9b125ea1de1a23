using System.Text;
using ChannelServer.Geo;
using ChannelServer.Http;
using ChannelServer.Relay;

namespace ChannelServer.Tests.Geo;

public sealed class LanguageLookupTests
{
    private static readonly string[] _languages = ["de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN"];

    [Theory]
    [InlineData("", "en")]
    [InlineData("de", "de")]
    [InlineData("DE", "de")]
    [InlineData("pt-br", "pt-BR")]
    [InlineData("de-CH", "de")]
    [InlineData("de-CH-1996", "de")]
    [InlineData("de-CH-x-private", "de")]
    [InlineData("nl, fr;q=0.2", "fr")]
    [InlineData("fr;q=0.9, de;q=0.10", "fr")]
    [InlineData("nl", "en")]
    [InlineData("den", "en")]
    // Another variety of the language, where there is none nearer.
    [InlineData("zh", "zh-CN")]
    [InlineData("pt", "pt-BR")]
    [InlineData("pt-PT, fr;q=0.5", "pt-BR")]
    [InlineData("zh-TW", "zh-CN")]
    [InlineData("zh-Hans-CN", "zh-CN")]
    // Excluded.
    [InlineData("en;q=0, fr;q=0.1", "fr")]
    [InlineData("en;q=0", null)]
    [InlineData("nl, en;q=0", null)]
    [InlineData("de-CH, de;q=0", "en")]
    [InlineData("pt;q=0, pt-BR", "pt-BR")]
    [InlineData("pt-BR, pt;q=0, en;q=0.1", "pt-BR")]
    [InlineData("pt-BR;q=0, pt", "en")]
    [InlineData("zh-CN;q=0, zh-TW", "en")]
    [InlineData("*;q=0", null)]
    [InlineData("*;q=0, fr", "fr")]
    [InlineData("*;q=0, fr-CH", "fr")]
    [InlineData("*;q=0, nl", null)]
    // Any.
    [InlineData("*", "en")]
    [InlineData("nl, *;q=0.5", "en")]
    [InlineData("*, en;q=0", "de")]
    [InlineData("*, en;q=0, de;q=0", "es")]
    [InlineData("*, en;q=0.1", "de")]
    [InlineData("*;q=0.5, fr;q=0.7", "fr")]
    public void Finds_the_language_that_the_reader_wants(string header, string? expected) =>
        Assert.Equal(expected, Choose(header, "en", _languages));

    [Theory]
    [InlineData("", "ru", "ru")]
    [InlineData("nl", "de-AT", "de")]
    [InlineData("*", "fr", "fr")]
    [InlineData("nl", "nl", null)]
    public void Then_the_default(string header, string defaultLanguage, string? expected) =>
        Assert.Equal(expected, Choose(header, defaultLanguage, _languages));

    [Theory]
    [InlineData("de, fr", "fr")]
    [InlineData("de", null)]
    [InlineData("*", "fr")]
    [InlineData("zh", "zh-TW")]
    [InlineData("zh-Hant", "zh-Hant-HK")]
    public void A_name_has_its_own_languages(string header, string? expected) =>
        Assert.Equal(expected, Choose(header, "en", ["zh-TW", "zh-Hant-HK", "fr"]));

    [Fact]
    public void Any_takes_the_unlisted_too() => Assert.Equal("sv", Choose("*", "en", ["sv"]));

    private static string? Choose(string header, string defaultLanguage, string[] named)
    {
        LanguagePriorityList languages = AcceptLanguage.Parse(Encoding.ASCII.GetBytes(header));
        return new LanguageLookup(_languages, defaultLanguage).Choose(named.ToDictionary(language => language), languages);
    }
}
