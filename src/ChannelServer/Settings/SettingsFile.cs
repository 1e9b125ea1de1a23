using System.Text.Json;
using ChannelServer.Telemetry;
using Tomlyn;
using Tomlyn.Parsing;

namespace ChannelServer;

/// <summary>
/// The configuration file, <c>config/{RUN_MODE}</c> with the ending <c>.json</c>, <c>.ini</c> or <c>.toml</c>: a flat list of names and
/// plain values. Reads names and values as they stand; what they mean is not its business.
/// </summary>
internal static class SettingsFile
{
    // Twenty-odd settings with generous comments are a few kilobytes; whatever is larger is not a settings file.
    private const long MaxOctets = 64 * 1024;

    private static readonly string[] Endings = [".json", ".ini", ".toml"];

    /// <summary>Reads the file of a run mode, if there is one.</summary>
    /// <returns>The entries, or what is wrong in one line.</returns>
    public static (string File, List<(string Name, string Value)> Entries, string? Error) Read(string directory, string mode)
    {
        string[] found = [.. Endings.Select(ending => $"config/{mode}{ending}").Where(file => File.Exists(Path.Combine(directory, file)))];
        if (found.Length == 0)
            return ("", [], null);
        if (found.Length > 1)
            return ("", [], $"{string.Join(" and ", found)} both exist; keep one of them");
        string file = found[0];
        try
        {
            string path = Path.Combine(directory, file);
            if (new FileInfo(path).Length > MaxOctets)
                return (file, [], $"{file} is larger than {MaxOctets} octets");
            string text = File.ReadAllText(path);
            return (file, Path.GetExtension(file) switch
            {
                ".json" => Json(text),
                ".ini" => Ini(text),
                _ => Toml(text),
            }, null);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return (file, [], $"{file} cannot be read: {exception.Message}");
        }
        catch (FormatException exception)
        {
            return (file, [], $"{file}: {exception.Message}");
        }
    }

    private static List<(string, string)> Json(string text)
    {
        List<(string, string)> entries = [];
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip,
                AllowTrailingCommas = true,
                MaxDepth = 8,
            });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new FormatException("not a JSON object");
            foreach (JsonProperty property in document.RootElement.EnumerateObject())
            {
                entries.Add((property.Name, property.Value.ValueKind switch
                {
                    JsonValueKind.String => property.Value.GetString()!,
                    JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => property.Value.GetRawText(),
                    _ => throw NotPlain(property.Name),
                }));
            }
            return entries;
        }
        catch (JsonException exception)
        {
            throw new FormatException($"not valid JSON, line {exception.LineNumber + 1}", exception);
        }
    }

    private static List<(string, string)> Ini(string text)
    {
        List<(string, string)> entries = [];
        int number = 0;
        foreach (ReadOnlySpan<char> raw in text.EnumerateLines())
        {
            number++;
            ReadOnlySpan<char> line = raw.Trim();
            if (line.IsEmpty || line[0] is '#' or ';')
                continue;
            if (line[0] == '[')
                throw new FormatException($"line {number}: sections are not used here");
            int equals = line.IndexOf('=');
            if (equals <= 0)
                throw new FormatException($"line {number}: expected name = value");
            ReadOnlySpan<char> value = line[(equals + 1)..].Trim();
            if (value.Length >= 2 && value[0] == '"' && value[^1] == '"')
                value = value[1..^1];
            entries.Add((line[..equals].Trim().ToString(), value.ToString()));
        }
        return entries;
    }

    private static List<(string, string)> Toml(string text)
    {
        List<(string, string)> entries = [];
        string? name = null;
        try
        {
            var parser = TomlParser.Create(text);
            while (parser.MoveNext())
            {
                switch (parser.Current.Kind)
                {
                    case TomlParseEventKind.PropertyName:
                        name = parser.GetPropertyName();
                        break;
                    case TomlParseEventKind.String:
                        entries.Add((name!, parser.GetString()));
                        break;
                    case TomlParseEventKind.Integer:
                        entries.Add((name!, $"{parser.Current.GetInt64()}"));
                        break;
                    case TomlParseEventKind.Float:
                        entries.Add((name!, FormattableString.Invariant($"{parser.Current.GetDouble()}")));
                        break;
                    case TomlParseEventKind.Boolean:
                        entries.Add((name!, parser.Current.GetBoolean() ? "true" : "false"));
                        break;
                    // The document itself is the only table.
                    case TomlParseEventKind.StartTable when name is not null:
                    case TomlParseEventKind.StartArray:
                    case TomlParseEventKind.DateTime:
                        throw NotPlain(name!);
                }
            }
            return entries;
        }
        catch (TomlException exception)
        {
            throw new FormatException($"not valid TOML, line {exception.Line}", exception);
        }
    }

    private static FormatException NotPlain(string name) =>
        new($"{PrintableText.Quote(name)} is neither a text nor a number nor true or false");
}
