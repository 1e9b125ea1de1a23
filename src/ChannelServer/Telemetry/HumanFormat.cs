using System.Buffers;
using System.Globalization;
using System.Text;

namespace ChannelServer.Telemetry;

/// <summary>Lines for reading: time, level, message, then <c>name=value</c> pairs; whatever is not plainly visible is escaped.</summary>
internal sealed class HumanFormat : LineFormat
{
    [ThreadStatic]
    private static StringBuilder? t_text;

    public override void Write(IBufferWriter<byte> to, in LogLine line)
    {
        StringBuilder text = (t_text ??= new StringBuilder()).Clear();
        text.Append(CultureInfo.InvariantCulture, $"{line.Time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {Word(line.Level)} ");
        PrintableText.Append(text, line.Message, MaxMessage);
        int count = Math.Min(line.Values.Count, MaxValues);
        for (int i = 0; i < count; i++)
        {
            (string name, object? value) = line.Values[i];
            if (IsTemplate(name))
                continue;
            Append(text, name, (value is IFormattable formattable
                ? formattable.ToString(null, CultureInfo.InvariantCulture)
                : value?.ToString()) ?? "", MaxValue);
        }
        if (!line.Category.StartsWith(nameof(ChannelServer), StringComparison.Ordinal))
            Append(text, "category", line.Category, MaxValue);
        if (line.Exception is { } exception)
            Append(text, "exception", exception.ToString(), MaxStack);
        text.Append('\n');
        foreach (ReadOnlyMemory<char> chunk in text.GetChunks())
            Encoding.UTF8.GetBytes(chunk.Span, to);
    }

    private static void Append(StringBuilder text, string name, string value, int most)
    {
        text.Append(' ');
        PrintableText.Append(text, name, MaxValue);
        text.Append('=');
        bool quoted = value.Length == 0 || value.AsSpan().ContainsAny(" =\"");
        if (quoted)
            text.Append('"');
        PrintableText.Append(text, value, most);
        if (quoted)
            text.Append('"');
    }

    private static string Word(LogLevel level) => level switch
    {
        LogLevel.Critical => "FATAL",
        LogLevel.Error => "ERROR",
        LogLevel.Warning => "WARN ",
        LogLevel.Information => "INFO ",
        _ => "DEBUG",
    };
}
