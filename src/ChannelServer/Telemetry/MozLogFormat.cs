using System.Buffers;
using System.Globalization;
using System.Text.Json;


namespace ChannelServer.Telemetry;

/// <summary>
/// Mozilla's mozlog 2.0: one JSON object per line (https://wiki.mozilla.org/Firefox/Services/Logging). The members and their order
/// are those of Mozilla's server. All but ASCII is escaped, so no separator, direction mark or stray surrogate reaches the reader's
/// terminal.
/// </summary>
internal sealed class MozLogFormat(string version) : LineFormat
{
    private static readonly JsonEncodedText Timestamp = JsonEncodedText.Encode("Timestamp");
    private static readonly JsonEncodedText Type = JsonEncodedText.Encode("Type");
    private static readonly JsonEncodedText TypeValue = JsonEncodedText.Encode("channelserver:log");
    private static readonly JsonEncodedText Logger = JsonEncodedText.Encode("Logger");
    private static readonly JsonEncodedText Hostname = JsonEncodedText.Encode("Hostname");
    private static readonly JsonEncodedText EnvVersion = JsonEncodedText.Encode("EnvVersion");
    private static readonly JsonEncodedText EnvVersionValue = JsonEncodedText.Encode("2.0");
    private static readonly JsonEncodedText Pid = JsonEncodedText.Encode("Pid");
    private static readonly JsonEncodedText Severity = JsonEncodedText.Encode("Severity");
    private static readonly JsonEncodedText Fields = JsonEncodedText.Encode("Fields");

    // One writer per thread, because the lines are formatted by the threads that cause them.
    [ThreadStatic]
    private static Utf8JsonWriter? t_json;

    private readonly JsonEncodedText _logger = JsonEncodedText.Encode($"channelserver-{version}");
    private readonly JsonEncodedText _hostname = JsonEncodedText.Encode(Environment.MachineName);

    public override void Write(IBufferWriter<byte> to, in LogLine line)
    {
        Utf8JsonWriter json = t_json ??= new Utf8JsonWriter(to);
        json.Reset(to);
        json.WriteStartObject();
        json.WriteNumber(Timestamp, (line.Time - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick);
        json.WriteString(Type, TypeValue);
        json.WriteString(Logger, _logger);
        json.WriteString(Hostname, _hostname);
        json.WriteString(EnvVersion, EnvVersionValue);
        json.WriteNumber(Pid, Environment.ProcessId);
        json.WriteNumber(Severity, SyslogSeverity(line.Level));
        json.WriteStartObject(Fields);
        json.WriteString("msg"u8, Bounded(line.Message, MaxMessage));
        if (line.Event.Name is { } name)
            json.WriteString("event"u8, Bounded(name, MaxValue));
        if (!line.Category.StartsWith(nameof(ChannelServer), StringComparison.Ordinal))
            json.WriteString("category"u8, Bounded(line.Category, MaxValue));
        WriteValues(json, line.Values);
        if (line.Exception is { } exception)
        {
            json.WriteString("exception_type"u8, exception.GetType().FullName);
            json.WriteString("exception_message"u8, Bounded(exception.Message, MaxMessage));
            json.WriteString("exception_stack"u8, Bounded(exception.ToString(), MaxStack));
        }
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        to.Write("\n"u8);
    }

    private static void WriteValues(Utf8JsonWriter json, IReadOnlyList<KeyValuePair<string, object?>> values)
    {
        int count = Math.Min(values.Count, MaxValues);
        for (int i = 0; i < count; i++)
        {
            (string name, object? value) = values[i];
            if (IsTemplate(name))
                continue;
            json.WritePropertyName(Bounded(name, MaxValue));
            WriteValue(json, value);
        }
    }

    private static void WriteValue(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case string text:
                json.WriteStringValue(Bounded(text, MaxValue));
                break;
            case bool truth:
                json.WriteBooleanValue(truth);
                break;
            case int number:
                json.WriteNumberValue(number);
                break;
            case long number:
                json.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case LoggedAddress address:
                Span<byte> utf8 = stackalloc byte[128];
                address.TryFormat(utf8, out int written, default, null);
                json.WriteStringValue(utf8[..written]);
                break;
            case IFormattable formattable:
                json.WriteStringValue(Bounded(formattable.ToString(null, CultureInfo.InvariantCulture), MaxValue));
                break;
            default:
                json.WriteStringValue(Bounded(value.ToString() ?? "", MaxValue));
                break;
        }
    }

    private static ReadOnlySpan<char> Bounded(string text, int most) => text.Length <= most ? text : text.AsSpan(0, most);

    /// <summary>RFC 5424, table 2.</summary>
    private static int SyslogSeverity(LogLevel level) => level switch
    {
        LogLevel.Critical => 2,
        LogLevel.Error => 3,
        LogLevel.Warning => 4,
        LogLevel.Information => 6,
        _ => 7,
    };
}
