using System.Buffers;

namespace ChannelServer.Telemetry;

/// <summary>What one line of the log is to say.</summary>
internal readonly ref struct LogLine
{
    public required DateTimeOffset Time { get; init; }
    public required LogLevel Level { get; init; }
    public required string Category { get; init; }
    public required EventId Event { get; init; }
    public required string Message { get; init; }

    /// <summary>Names and values; the template of the message may be among them.</summary>
    public IReadOnlyList<KeyValuePair<string, object?>> Values { get; init; }

    public Exception? Exception { get; init; }
}

/// <summary>
/// How a line looks. Whatever it is given, it writes exactly one line with its line end, and bounds the length of every part: names,
/// messages and values can come from a client.
/// </summary>
internal abstract class LineFormat
{
    /// <summary>UTF-16 units of a value or of the name of one.</summary>
    protected const int MaxValue = 512;

    /// <summary>UTF-16 units of a message; the framework's carry their values in the text.</summary>
    protected const int MaxMessage = 2048;

    /// <summary>UTF-16 units of an exception with its stack.</summary>
    protected const int MaxStack = 8192;

    /// <summary>Values of one line.</summary>
    protected const int MaxValues = 32;

    /// <summary>The name under which the logging library hands over the template; the message says it already.</summary>
    private const string Template = "{OriginalFormat}";

    public abstract void Write(IBufferWriter<byte> to, in LogLine line);

    protected static bool IsTemplate(string name) => name == Template;
}
