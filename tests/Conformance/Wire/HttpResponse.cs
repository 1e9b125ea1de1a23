using System.Globalization;

namespace ChannelServer.Conformance.Wire;

/// <summary>The head of an HTTP response, and its body when it has one.</summary>
internal sealed record HttpResponse(int Status, IReadOnlyList<KeyValuePair<string, string>> Fields)
{
    public string Body { get; init; } = "";

    public bool Has(string name) => Values(name).Any();

    /// <summary>The value of a field, several lines joined as RFC 9110 (5.3) allows; null without any.</summary>
    public string? this[string name] => Has(name) ? string.Join(", ", Values(name)) : null;

    /// <summary>Expects what every 429 and 503 of an upgrade says: when to come again, not at once and not never, and that this connection is over.</summary>
    public void AssertTryLater()
    {
        Assert.InRange(int.Parse(this["Retry-After"] ?? "0", CultureInfo.InvariantCulture), 1, 30);
        Assert.Equal("close", this["Connection"], ignoreCase: true);
    }

    public static HttpResponse Parse(string head)
    {
        string[] lines = head.Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        string[] statusLine = lines[0].Split(' ', 3);
        Assert.True(statusLine.Length >= 2 && statusLine[0] == "HTTP/1.1", $"Not a status line of HTTP/1.1: {lines[0]}");
        return new HttpResponse(int.Parse(statusLine[1], CultureInfo.InvariantCulture), [.. lines.Skip(1).Select(line =>
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            Assert.True(colon > 0, $"Not a header field: {line}");
            return KeyValuePair.Create(line[..colon], line[(colon + 1)..].Trim());
        })]);
    }

    private IEnumerable<string> Values(string name) =>
        Fields.Where(field => field.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(field => field.Value);
}
