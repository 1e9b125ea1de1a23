using System.Text.Json;

namespace ChannelServer.Reliability.Harness;

/// <summary>The lines that a server has written, and what must be true of them.</summary>
internal sealed class LogBook
{
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public async Task ReadAsync(StreamReader output)
    {
        while (await output.ReadLineAsync() is { } line)
        {
            lock (_lines)
                _lines.Add(line);
        }
    }

    /// <summary>Every line is one JSON object, none tells of a bug, and there are not too many.</summary>
    /// <param name="expectedErrors">Events of level error that the trial provokes.</param>
    /// <param name="isBounded">Whether <c>log_rate</c> is in force.</param>
    public void AssertSound(string[] expectedErrors, bool isBounded)
    {
        Dictionary<long, int> perSecond = [];
        foreach (string line in Lines)
        {
            using JsonDocument json = Parse(line);
            JsonElement fields = json.RootElement.GetProperty("Fields");
            string name = fields.TryGetProperty("event", out JsonElement given) ? given.ToString() : "";
            Assert.True(json.RootElement.GetProperty("Severity").GetInt32() > 3 || expectedErrors.Contains(name), $"An error in the log: {line}");
            long second = json.RootElement.GetProperty("Timestamp").GetInt64() / 1_000_000_000;
            perSecond[second] = perSecond.GetValueOrDefault(second) + 1;
        }
        // The server's seconds are not the clock's: two of them can touch one of these.
        if (!isBounded || perSecond.Count == 0)
            return;
        Assert.True(perSecond.Values.Max() <= 2 * 20, $"{perSecond.Values.Max()} log lines in one second.");
        long seconds = perSecond.Keys.Max() - perSecond.Keys.Min() + 2;
        Assert.True(perSecond.Values.Sum() <= 20 * seconds, $"{perSecond.Values.Sum()} log lines in {seconds} seconds.");
    }

    private static JsonDocument Parse(string line)
    {
        try
        {
            return JsonDocument.Parse(line);
        }
        catch (JsonException)
        {
            throw new InvalidOperationException($"Not one line of JSON: {line}");
        }
    }
}
