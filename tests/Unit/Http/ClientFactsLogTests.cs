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
    [InlineData("X-Forwarded-For: 192.0.2.1, evil\\\u00e9, 10.0.0.2",
        "Client address unknown: hop 2 from the right of X-Forwarded-For is no IP address: \"evil\\x5c\\xe9\"")]
    [InlineData("X-Forwarded-For: 127.0.0.1, 10.0.0.2",
        "Client address unknown: every hop of X-Forwarded-For is a trusted proxy or loopback, the last of them hop 2 from the right: \"127.0.0.1\"")]
    [InlineData("X-Other: 1", "Client address unknown: a trusted proxy sent no X-Forwarded-For")]
    public void Says_which_hop_is_to_blame(string line, string expected)
    {
        Read(line);
        Assert.Equal([expected], _lines.Written);
    }

    [Fact]
    public void Says_that_there_are_too_many()
    {
        Read("X-Forwarded-For: " + string.Join(',', Enumerable.Repeat("10.0.0.2", 33)));
        Assert.Equal(["Client address unknown: the last 32 hops of X-Forwarded-For are all trusted proxies"], _lines.Written);
    }

    [Fact]
    public void Is_silent_when_all_is_well()
    {
        Read("X-Forwarded-For: 192.0.2.1");
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

    private ClientFactsReader Reader() => new(TrustedProxies.Default, new GeoSource("en"), localizeForReceiver: false, _lines, _time);

    private void Read(string line) => Reader().Read(Heads.With(line), IPAddress.Parse("10.0.0.1"));

    private sealed class Lines : ILogger
    {
        public List<string> Written { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Written.Add(formatter(state, exception));
    }
}
