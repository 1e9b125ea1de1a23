using System.Net;
using ChannelServer.Geo;
using ChannelServer.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests.Http;

public sealed class ClientFactsLogTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Lines _lines = new();

    [Theory]
    [InlineData("X-Forwarded-For: 192.0.2.1, evil\\\u00e9, 10.0.0.2", "unparsable", 2, "evil\\x5c\\xe9")]
    [InlineData("X-Forwarded-For: 127.0.0.1, 10.0.0.2", "only_proxies", 2, "127.0.0.1")]
    [InlineData("X-Other: 1", "missing", 0, "")]
    public void Says_which_hop_is_to_blame(string line, string reason, int hop, string text)
    {
        Read(line, LogRemote.Full);
        Assert.Equal([$"reason={reason} hop={hop} text={text}"], _lines.Written);
    }

    [Fact]
    public void Says_that_there_are_too_many()
    {
        Read("X-Forwarded-For: " + string.Join(',', Enumerable.Repeat("10.0.0.2", 33)), LogRemote.Full);
        Assert.Equal(["reason=too_many_hops hop=33 text="], _lines.Written);
    }

    [Theory]
    [InlineData(LogRemote.Net)]
    [InlineData(LogRemote.None)]
    public void Tells_no_address_that_a_proxy_wrote_in_a_wrong_form(LogRemote logRemote)
    {
        Read("X-Forwarded-For: 203.0.113.7:99999", logRemote);
        Assert.Equal(["reason=unparsable hop=1 text="], _lines.Written);
    }

    [Fact]
    public void Is_silent_when_all_is_well()
    {
        Read("X-Forwarded-For: 192.0.2.1", LogRemote.Full);
        Assert.Empty(_lines.Written);
    }

    [Fact]
    public void A_flood_writes_few_lines()
    {
        ClientFactsReader reader = Reader();
        for (int request = 0; request < 100; request++)
            reader.Read(Heads.With("X-Forwarded-For: junk"), IPAddress.Parse("10.0.0.1"));
        Assert.Equal(LogThrottle.LinesPerSecond, _lines.Written.Count);
        _time.Advance(TimeSpan.FromSeconds(1));
        reader.Read(Heads.With("X-Forwarded-For: junk"), IPAddress.Parse("10.0.0.1"));
        Assert.Equal(LogThrottle.LinesPerSecond + 1, _lines.Written.Count);
    }

    private ClientFactsReader Reader(LogRemote logRemote = LogRemote.Net) =>
        new(TrustedProxies.Default, new GeoSource("en"), localizeForReceiver: false, _lines, _time, logRemote);

    private void Read(string line, LogRemote logRemote) => Reader(logRemote).Read(Heads.With(line), IPAddress.Parse("10.0.0.1"));

    private sealed class Lines : ILogger
    {
        public List<string> Written { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Written.Add(string.Join(' ', ((IReadOnlyList<KeyValuePair<string, object?>>)state!)
                .Where(static value => value.Key != "{OriginalFormat}").Select(static value => $"{value.Key}={value.Value}")));
    }
}
