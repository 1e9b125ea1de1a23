using System.Net;
using ChannelServer.Reputation;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests.Reputation;

/// <summary>The reputation client against a real HTTP server, its memory and its patience in virtual time.</summary>
public sealed class ReputationTests : IAsyncLifetime
{
    private static readonly IPAddress _address = IPAddress.Parse("198.51.100.1");

    /// <summary>Where the patience of the client is not what is tested.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new();
    private ReputationServer _server = null!;
    private ReputationClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await ReputationServer.StartAsync();
        _client = Client(_patience);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    private ReputationClient Client(TimeSpan timeout, Uri? address = null, string key = "") =>
        new(address ?? _server.Address, key, timeout, "channel_abuse", NullLogger.Instance, _time);

    [Theory]
    [InlineData("""{"object":"198.51.100.1","type":"ip","reputation":75,"reviewed":false,"lastupdated":"2018-04-23T18:25:43.511Z"}""", 75)]
    [InlineData("""{"reputation":0}""", 0)]
    [InlineData("""{"reputation":"75"}""", null)]
    [InlineData("""{}""", null)]
    [InlineData("""75""", null)]
    [InlineData("""{"reputation":""", null)]
    [InlineData("", null)]
    [InlineData(null, 100)]
    public async Task An_answer_is_read_and_nonsense_is_none(string? answer, int? reputation)
    {
        if (answer is not null)
            _server.Answers["198.51.100.1"] = answer;
        Assert.Equal(reputation, await _client.GetReputationAsync(_address));
        Assert.Equal(["GET /type/ip/198.51.100.1"], _server.Requests);
    }

    [Fact]
    public async Task An_IPv6_address_is_asked_for_as_it_is_written()
    {
        _server.Answers["2001:db8::1"] = """{"reputation":12}""";
        Assert.Equal(12, await _client.GetReputationAsync(IPAddress.Parse("2001:db8::1")));
    }

    [Fact]
    public async Task A_service_below_a_path_is_found()
    {
        using ReputationClient client = Client(_patience, new Uri(_server.Address, "/iprepd"));
        await client.GetReputationAsync(_address);
        Assert.Equal(["GET /iprepd/type/ip/198.51.100.1"], _server.Requests);
    }

    [Fact]
    public async Task A_service_that_wants_a_key_is_shown_it()
    {
        _server.Key = "c2VjcmV0";
        _server.Answers["198.51.100.1"] = """{"reputation":12}""";
        Assert.Null(await _client.GetReputationAsync(_address));
        using ReputationClient wrong = Client(_patience, key: "d3Jvbmc");
        Assert.Null(await wrong.GetReputationAsync(_address));
        using ReputationClient right = Client(_patience, key: "c2VjcmV0");
        Assert.Equal(12, await right.GetReputationAsync(_address));
    }

    [Fact]
    public async Task Below_the_least_is_bad_and_everything_else_is_welcome()
    {
        ReputationList list = new(_client, 50, _time);
        _server.Answers["198.51.100.1"] = """{"reputation":49}""";
        _server.Answers["198.51.100.2"] = """{"reputation":50}""";
        Assert.Equal(Standing.Unknown, list.Find(_address));
        Assert.Equal(Standing.Bad, await list.AskAsync(_address));
        Assert.Equal(Standing.Good, await list.AskAsync(IPAddress.Parse("198.51.100.2")));
        Assert.Equal(Standing.Good, await list.AskAsync(IPAddress.Parse("198.51.100.3")));
        Assert.Equal(Standing.Bad, list.Find(_address));
        _time.Advance(ReputationList.AnswerLife + TimeSpan.FromSeconds(1));
        Assert.Equal(Standing.Unknown, list.Find(_address));
        Assert.Equal(3, list.Count);
    }

    [Fact]
    public async Task Those_who_ask_together_ask_once()
    {
        _server.Hold = new TaskCompletionSource();
        ReputationList list = new(_client, 50, _time);
        Task<Standing>[] asked = [.. Enumerable.Range(0, 20).Select(_ => list.AskAsync(_address))];
        _server.Hold.SetResult();
        Assert.All(await Task.WhenAll(asked), standing => Assert.Equal(Standing.Good, standing));
        Assert.Equal(1, _server.Lookups);
    }

    [Fact]
    public async Task A_service_that_is_slow_or_gone_or_broken_keeps_nobody_out()
    {
        using ReputationClient slow = Client(TimeSpan.FromMilliseconds(50));
        using ReputationClient gone = Client(_patience, new Uri("http://127.0.0.1:1"));
        _server.Hold = new TaskCompletionSource();
        Assert.Equal(Standing.Good, await new ReputationList(slow, 50, _time).AskAsync(_address));
        _server.Hold.SetResult();
        Assert.Equal(Standing.Good, await new ReputationList(gone, 50, _time).AskAsync(_address));
        _server.Status = 500;
        ReputationList list = new(_client, 50, _time);
        Assert.Equal(Standing.Good, await list.AskAsync(_address));
        _time.Advance(ReputationList.SilenceLife);
        Assert.Equal(Standing.Unknown, list.Find(_address));
    }

    [Fact]
    public async Task A_service_that_fails_is_left_alone_for_a_while_and_then_tried_by_one()
    {
        _server.Status = 500;
        for (int i = 0; i < 20; i++)
            Assert.Null(await _client.GetReputationAsync(_address));
        Assert.Equal(CircuitBreaker.MaxFailures, _server.Lookups);
        _time.Advance(CircuitBreaker.Pause);
        for (int i = 0; i < 20; i++)
            await _client.GetReputationAsync(_address);
        Assert.Equal(CircuitBreaker.MaxFailures + 1, _server.Lookups);
        _server.Status = 0;
        _time.Advance(CircuitBreaker.Pause);
        for (int i = 0; i < 20; i++)
            Assert.Equal(100, await _client.GetReputationAsync(_address));
    }

    [Fact]
    public void An_answer_from_before_does_not_bring_a_lost_service_back()
    {
        CircuitBreaker breaker = new(_time);
        for (int i = 1; i <= CircuitBreaker.MaxFailures; i++)
            Assert.Equal(i == CircuitBreaker.MaxFailures, breaker.Failed());
        Assert.False(breaker.Succeeded());
        Assert.False(breaker.TryPass());
        _time.Advance(CircuitBreaker.Pause);
        Assert.True(breaker.TryPass());
        Assert.True(breaker.Succeeded());
        Assert.True(breaker.TryPass());
    }

    [Fact]
    public async Task A_violation_is_reported_once_a_minute()
    {
        await using ViolationReporter reporter = new(_client, _time);
        for (int i = 0; i < 50; i++)
            reporter.Report(_address);
        reporter.Report(null);
        Assert.Equal(
            """PUT /violations/type/ip/198.51.100.1 {"object":"198.51.100.1","type":"ip","violation":"channel_abuse"}""",
            await _server.ViolationAsync());
        _time.Advance(ViolationReporter.Pause);
        reporter.Report(_address);
        while (_server.Violations.Count() < 2)
            await Task.Delay(10, TestContext.Current.CancellationToken);
        Assert.Equal(2, _server.Violations.Count());
    }

    [Fact]
    public async Task Reporting_never_waits()
    {
        _server.Hold = new TaskCompletionSource();
        await using ViolationReporter reporter = new(_client, _time);
        for (int i = 0; i < 100_000; i++)
            reporter.Report(new IPAddress(0x0A00_0000L + i));
        _server.Hold.SetResult();
    }
}
