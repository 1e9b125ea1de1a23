using System.Diagnostics.Metrics;
using System.Reflection;
using ChannelServer.Relay;
using ChannelServer.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelServer.Tests;

/// <summary>What the log and the statistics say stands in <c>docs/operations.md</c>.</summary>
public sealed class DocumentationTests
{
    private static readonly string _text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations.md"));

    [Fact]
    public void Every_event_is_documented()
    {
        string[] events = [.. typeof(EngineHost).Assembly.GetTypes()
            .SelectMany(static type => type.GetMethods(
                BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(static method => method.GetCustomAttribute<LoggerMessageAttribute>() is not null)
            .Select(static method => method.Name)];
        Assert.NotEmpty(events);
        Assert.All(events, Documented);
    }

    [Fact]
    public void Every_statistic_is_documented()
    {
        List<string> names = [];
        using RelayTelemetry telemetry = new(NullLogger<RelayTelemetry>.Instance, LogRemote.Net);
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, _) =>
            {
                // Those of other tests are told of here too, on their threads.
                if (ReferenceEquals(instrument.Meter, telemetry.Meter))
                    names.Add(instrument.Name);
            },
        };
        listener.Start();
        Assert.Contains("conn.create", names);
        Assert.All(names, Documented);
    }

    [Fact]
    public void Every_reason_and_outcome_is_documented()
    {
        Assert.All(
            Enum.GetValues<EndReason>().Except([EndReason.None, EndReason.ServiceRestart, EndReason.TryAgainLater]), static reason => Documented(reason.Tag()));
        Assert.All(Enum.GetValues<ChannelOutcome>(), static outcome => Documented(outcome.Tag()));
    }

    private static void Documented(string name) => Assert.Contains($"`{name}`", _text, StringComparison.Ordinal);
}
