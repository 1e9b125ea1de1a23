using System.Buffers;

namespace ChannelServer.Telemetry;

/// <summary>
/// The log: one line per event to a stream, mozlog JSON or for reading. Made by Program, which disposes it last, so that the lines of
/// the end are written too.
/// </summary>
internal sealed class LineLoggerProvider : ILoggerProvider
{
    private readonly LineFormat _format;
    private readonly LineWriter _writer;
    private readonly LineBudget _budget;
    private readonly TimeProvider _time;

    public LineLoggerProvider(Settings settings, string version, Stream output, TimeProvider time)
    {
        _time = time;
        _format = settings.HumanLogs ? new HumanFormat() : new MozLogFormat(version);
        _writer = new LineWriter(output, DroppedLine);
        _budget = new LineBudget(settings.Debug ? 0 : settings.LogRate, time, TellHeldBack);
    }

    /// <summary>Makes loggers that write here and nowhere else, at the levels that <c>debug</c> and <c>verbose</c> ask for.</summary>
    public ILoggerFactory CreateFactory(Settings settings)
    {
        LogLevel framework = settings.Verbose ? LogLevel.Information : LogLevel.Warning;
        LoggerFilterOptions levels = new() { MinLevel = settings.Debug ? LogLevel.Debug : LogLevel.Information };
        levels.AddFilter("Microsoft", framework);
        // Where a web host is around, its lines tell each request's path and query, which hold channel ids and tokens.
        levels.AddFilter("Microsoft.AspNetCore.Hosting", LogLevel.Warning);
        levels.AddFilter("System", framework);
        return new LoggerFactory([this], levels);
    }

    public ILogger CreateLogger(string categoryName) => new LineLogger(this, categoryName);

    public void Dispose()
    {
        _budget.Dispose();
        _writer.Dispose();
    }

    private void Write(in LogLine line)
    {
        ArrayBufferWriter<byte> buffer = LineLogger.ThreadBuffer();
        _format.Write(buffer, line);
        _writer.Append(buffer.WrittenSpan, line.Level == LogLevel.Critical);
    }

    private void TellHeldBack(List<KeyValuePair<string, object?>> counts) => Write(new LogLine
    {
        Time = _time.GetUtcNow(),
        Level = LogLevel.Warning,
        Category = nameof(ChannelServer),
        Event = new EventId(90, "LinesHeldBack"),
        Message = "log lines held back",
        Values = counts,
    });

    private byte[] DroppedLine(long lines)
    {
        ArrayBufferWriter<byte> buffer = new();
        _format.Write(buffer, new LogLine
        {
            Time = _time.GetUtcNow(),
            Level = LogLevel.Warning,
            Category = nameof(ChannelServer),
            Event = new EventId(91, "LinesDropped"),
            Message = "log lines dropped: whoever reads the log does not keep up, or memory ran out",
            Values = [KeyValuePair.Create("lines", (object?)lines)],
        });
        return buffer.WrittenSpan.ToArray();
    }

    private sealed class LineLogger(LineLoggerProvider log, string category) : ILogger
    {
        [ThreadStatic]
        private static ArrayBufferWriter<byte>? t_buffer;

        private readonly bool _ours = category.StartsWith(nameof(ChannelServer), StringComparison.Ordinal);

        public static ArrayBufferWriter<byte> ThreadBuffer()
        {
            ArrayBufferWriter<byte> buffer = t_buffer ??= new ArrayBufferWriter<byte>(1024);
            buffer.ResetWrittenCount();
            return buffer;
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            try
            {
                Write(logLevel, eventId, state, exception, formatter);
            }
            catch (OutOfMemoryException)
            {
                // Not worth the process: whoever wrote it may be the last that catches anything.
                log._writer.Drop();
            }
        }

        private void Write<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            IReadOnlyList<KeyValuePair<string, object?>> values = state as IReadOnlyList<KeyValuePair<string, object?>> ?? [];
            bool lifecycle = _ours && eventId.Id is > 0 and < Telemetry.Log.FirstBudgeted;
            if (!lifecycle && !log._budget.TryTake(logLevel, eventId.Name ?? category, Reason(values)))
                return;
            log.Write(new LogLine
            {
                Time = log._time.GetUtcNow(),
                Level = logLevel,
                Category = category,
                Event = eventId,
                Message = formatter(state, exception),
                Values = values,
                Exception = exception,
            });
        }

        /// <summary>Our events say the reason first, if they have one.</summary>
        private string? Reason(IReadOnlyList<KeyValuePair<string, object?>> values) =>
            _ours && values.Count > 0 && values[0] is { Key: "reason", Value: string reason } ? reason : null;
    }
}
