using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text;
using System.Text.Json;
using ChannelServer.Relay;
using ChannelServer.Telemetry;
using CsCheck;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests;

public sealed class LogTests : IDisposable
{
    // Anything a client could send, and more: controls, separators, directions, lone surrogates.
    private static readonly Gen<string> AnyText = Gen.OneOf(
        Gen.Char['\0', '\uffff'],
        Gen.OneOf(new[] { '\n', '\r', '\e', '"', '\\', '\u2028', '\u2029', '\u202e', '\u2066', '\u0085', '\ud800', '\udc00', '\u200b' }.Select(Gen.Const).ToArray()))
        .Array[0, 700].Select(static chars => new string(chars));

    private static readonly System.Buffers.SearchValues<char> Invisible = System.Buffers.SearchValues.Create(
        "\u007f\u0085\u009b\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202d\u202e\u2066\u2069\ufeff");

    private readonly FakeTimeProvider _time = new(DateTimeOffset.Parse("2026-01-02T03:04:05.678Z", CultureInfo.InvariantCulture));
    private readonly MemoryStream _output = new();

    public void Dispose() => _output.Dispose();

    /// <summary>Logs, ends the log, and returns its lines.</summary>
    private string[] Lines(Settings settings, Action<ILoggerFactory> log)
    {
        using (LineLoggerProvider provider = new(settings, "1.2.3", _output, _time))
        {
            using ILoggerFactory loggers = provider.CreateFactory(settings);
            log(loggers);
        }
        string text = Encoding.UTF8.GetString(_output.ToArray());
        Assert.True(text.Length == 0 || text.EndsWith('\n'));
        return text.Split('\n')[..^1];
    }

    private static ILogger Ours(ILoggerFactory factory) => factory.CreateLogger("ChannelServer.Tests");

    [Fact]
    public void A_session_end_in_mozlog_form()
    {
        string line = Assert.Single(Lines(new Settings(), factory =>
            Ours(factory).SessionEnded("client_closed", 1000, 1.5, 10, new LoggedAddress(IPAddress.Parse("192.0.2.77"), LogRemote.Net))));
        Assert.Equal(
            $$$"""
            {"Timestamp":1767323045678000000,"Type":"channelserver:log","Logger":"channelserver-1.2.3","Hostname":"{{{Environment.MachineName}}}",
            "EnvVersion":"2.0","Pid":{{{Environment.ProcessId}}},"Severity":6,"Fields":{"msg":"session ended","event":"SessionEnded",
            "reason":"client_closed","code":1000,"seconds":1.5,"messages":10,"remote":"192.0.2.0/24"}}
            """.ReplaceLineEndings(""), line);
    }

    [Fact]
    public void A_session_end_for_reading()
    {
        string line = Assert.Single(Lines(new Settings { HumanLogs = true }, factory =>
            Ours(factory).SessionEnded("a \"b\"", 1000, 1.5, 10, new LoggedAddress(IPAddress.Parse("2001:db8:1:2::3"), LogRemote.Net))));
        Assert.Equal("""
            2026-01-02T03:04:05.678Z INFO  session ended reason="a \"b\"" code=1000 seconds=1.5 messages=10 remote=2001:db8:1::/48
            """, line);
    }

    [Theory]
    [InlineData("192.0.2.77", LogRemote.Full, "192.0.2.77")]
    [InlineData("192.0.2.77", LogRemote.Net, "192.0.2.0/24")]
    [InlineData("::ffff:192.0.2.77", LogRemote.Net, "192.0.2.0/24")]
    [InlineData("::ffff:192.0.2.77", LogRemote.Full, "192.0.2.77")]
    [InlineData("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", LogRemote.Full, "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff")]
    [InlineData("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", LogRemote.Net, "2001:db8:aaaa::/48")]
    [InlineData("192.0.2.77", LogRemote.None, "")]
    [InlineData(null, LogRemote.Full, "")]
    public void Addresses_are_told_as_far_as_wanted(string? address, LogRemote form, string expected) =>
        Assert.Equal(expected, new LoggedAddress(address is null ? null : IPAddress.Parse(address), form).ToString());

    [Fact]
    public void Any_text_stays_one_line_of_json() => AnyText.Sample(text =>
    {
        byte[] line = Format(new MozLogFormat("1"), text);
        Assert.Equal(line.Length - 1, line.AsSpan().IndexOf((byte)'\n'));
        Assert.True(line.Length < 64 * 1024);
        Assert.DoesNotContain(line[..^1], static octet => octet is < 0x20 or >= 0x7f);
        using var document = JsonDocument.Parse(line);
        JsonElement fields = document.RootElement.GetProperty("Fields");
        Assert.Equal(Sound(text, 512), fields.GetProperty("value").GetString());
        Assert.Equal(Sound(text, 2048), fields.GetProperty("msg").GetString());
    });

    [Fact]
    public void Any_text_stays_one_visible_line() => AnyText.Sample(text =>
    {
        string line = Encoding.UTF8.GetString(Format(new HumanFormat(), text));
        Assert.Equal(line.Length - 1, line.IndexOf('\n', StringComparison.Ordinal));
        Assert.Equal(-1, line.AsSpan(0, line.Length - 1).IndexOfAnyInRange('\0', '\u001f'));
        Assert.Equal(-1, line.AsSpan(0, line.Length - 1).IndexOfAny(Invisible));
    });

    private static byte[] Format(LineFormat format, string text)
    {
        System.Buffers.ArrayBufferWriter<byte> to = new();
        format.Write(to, new LogLine
        {
            Time = DateTimeOffset.UnixEpoch,
            Level = LogLevel.Error,
            Category = text,
            Event = new EventId(1, text),
            Message = text,
            Values = [KeyValuePair.Create("value", (object?)text), KeyValuePair.Create(text, (object?)text)],
            Exception = new InvalidOperationException(text),
        });
        return to.WrittenSpan.ToArray();
    }

    private static string Sound(string text, int most) =>
        string.Concat((text.Length <= most ? text : text[..most]).EnumerateRunes());

    [Fact]
    public void An_exception_is_one_line_with_its_stack()
    {
        string line = Assert.Single(Lines(new Settings(), static factory =>
        {
            try
            {
                throw new InvalidOperationException("first\nsecond");
            }
            catch (InvalidOperationException exception)
            {
                Ours(factory).ChannelFailed(exception);
            }
        }));
        using var document = JsonDocument.Parse(line);
        Assert.Equal(3, document.RootElement.GetProperty("Severity").GetInt32());
        JsonElement fields = document.RootElement.GetProperty("Fields");
        Assert.Equal("System.InvalidOperationException", fields.GetProperty("exception_type").GetString());
        Assert.Equal("first\nsecond", fields.GetProperty("exception_message").GetString());
        Assert.Contains(nameof(An_exception_is_one_line_with_its_stack), fields.GetProperty("exception_stack").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, false, "session ended", "framework warning")]
    [InlineData(true, false, "session began", "session ended", "framework warning")]
    [InlineData(false, true, "session ended", "framework information", "framework warning")]
    public void Debug_and_verbose_choose_the_lines(bool debug, bool verbose, params string[] expected)
    {
        string[] lines = Lines(new Settings { Debug = debug, Verbose = verbose }, static factory =>
        {
            Ours(factory).SessionBegan(SessionStart.Opened);
            Ours(factory).SessionEnded("client_closed", 1000, 1, 1, default);
            ILogger framework = factory.CreateLogger("Microsoft.AspNetCore.Server.Kestrel");
#pragma warning disable CA1848, CA2254, CA1873 // As the framework may log.
            framework.LogDebug("framework debug");
            framework.LogInformation("framework information");
            framework.LogWarning("framework warning");
#pragma warning restore CA1848, CA2254, CA1873
        });
        Assert.Equal(expected, lines.Select(Message));
    }

    [Fact]
    public void Lines_of_clients_are_bounded_and_what_is_held_back_is_counted()
    {
        string[] lines = Lines(new Settings { LogRate = 3 }, factory =>
        {
            ILogger logger = Ours(factory);
            for (int i = 0; i < 1000; i++)
            {
                logger.SessionEnded("client_closed", 1000, 1, 1, default);
                logger.SessionEnded("client_timeout", 4408, 1, 1, default);
                logger.ChannelFailed(new InvalidOperationException());
            }
            logger.ServerStopping();
            _time.Advance(TimeSpan.FromSeconds(1));
            logger.SessionEnded("client_closed", 1000, 1, 1, default);
        });
        Assert.Equal(3 + LineBudget.ErrorsPerSecond + 3, lines.Length);
        Assert.Equal("server stopping", Message(lines[^3]));
        Assert.Equal("session ended", Message(lines[^1]));
        using var document = JsonDocument.Parse(lines[^2]);
        JsonElement fields = document.RootElement.GetProperty("Fields");
        Assert.Equal("log lines held back", fields.GetProperty("msg").GetString());
        Assert.Equal(998, fields.GetProperty("SessionEnded.client_closed").GetInt64());
        Assert.Equal(999, fields.GetProperty("SessionEnded.client_timeout").GetInt64());
        Assert.Equal(1000 - LineBudget.ErrorsPerSecond, fields.GetProperty("ChannelFailed").GetInt64());
    }

    [Fact]
    public void What_is_held_back_at_the_end_is_counted_too()
    {
        string[] lines = Lines(new Settings { LogRate = 1 }, static factory =>
        {
            for (int i = 0; i < 10; i++)
                Ours(factory).SessionEnded("client_closed", 1000, 1, 1, default);
        });
        Assert.Equal(["session ended", "log lines held back"], lines.Select(Message));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void No_limit_with_log_rate_zero_or_debug(int rate, bool debug) => Assert.Equal(500, Lines(
        new Settings { LogRate = rate, Debug = debug }, static factory =>
        {
            for (int i = 0; i < 500; i++)
                Ours(factory).SessionEnded("client_closed", 1000, 1, 1, default);
        }).Length);

    [Fact]
    public async Task A_stuck_reader_costs_lines_and_never_waiting()
    {
        using StuckStream output = new();
        const int Lines = 20_000;
        byte[] line = [.. Enumerable.Repeat((byte)'x', 99), (byte)'\n'];
        using (LineWriter writer = new(output, static dropped => Encoding.UTF8.GetBytes($"dropped {dropped}\n")))
        {
            writer.Append(line, urgent: true);
            await output.Reached.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
            // Would never return if a full log made its callers wait.
            for (int i = 1; i < Lines; i++)
                writer.Append(line);
            output.Release.Set();
        }
        string[] lines = Encoding.UTF8.GetString(output.Written.ToArray()).Split('\n')[..^1];
        int kept = lines.Count(static text => text[0] == 'x');
        Assert.Equal(1 + (LineWriter.Capacity / line.Length), kept);
        Assert.Equal(Lines - kept, lines.Where(static text => text.StartsWith("dropped ", StringComparison.Ordinal))
            .Sum(static text => int.Parse(text.AsSpan(8), CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void A_line_that_there_is_no_memory_for_is_counted_and_harms_nobody()
    {
        string[] lines = Lines(new Settings(), static factory =>
        {
            Ours(factory).Log(LogLevel.Error, new EventId(500, "Failing"), 0, null, static (_, _) => throw new InsufficientMemoryException());
            Ours(factory).ServerHurrying();
        });
        Assert.Equal(2, lines.Length);
        Assert.Contains("\"lines\":1", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_dropped_is_told_later_when_there_is_no_memory_to_tell_it()
    {
        using StuckStream output = new();
        output.Release.Set();
        SemaphoreSlim asked = new(0);
        int times = 0;
        using (LineWriter writer = new(output, Tell))
        {
            writer.Drop(3);
            writer.Append("one\n"u8, urgent: true);
            await asked.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        }
        Assert.Equal("one\ndropped 3\n", Encoding.UTF8.GetString(output.Written.ToArray()));

        byte[] Tell(long dropped)
        {
            asked.Release();
            return ++times == 1 ? throw new InsufficientMemoryException() : Encoding.UTF8.GetBytes($"dropped {dropped}\n");
        }
    }

    [Theory]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(UnauthorizedAccessException))]
    public async Task A_reader_that_went_away_does_no_harm(Type fault)
    {
        using BrokenStream output = new(fault);
        using LineWriter writer = new(output, static _ => []);
        for (int line = 0; line < 2; line++)
        {
            writer.Append("line\n"u8, urgent: true);
            // Nobody would come for the second one if the first had ended the thread, and with it the process.
            Assert.True(await output.Reached.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        }
    }

    [Fact]
    public void Every_line_of_the_server_is_declared_in_one_place_and_has_an_id_of_its_own()
    {
        const BindingFlags Declared =
            BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        (Type Where, int Id)[] lines = [.. typeof(Log).Assembly.GetTypes()
            .SelectMany(static type => type.GetMethods(Declared))
            .SelectMany(static method => method.GetCustomAttributesData(), static (method, attribute) => (method, attribute))
            .Where(static found => found.attribute.AttributeType == typeof(LoggerMessageAttribute))
            .Select(static found => (found.method.DeclaringType!, (int)found.attribute.ConstructorArguments[0].Value!))];
        Assert.NotEmpty(lines);
        Assert.Distinct(lines.Select(static line => line.Id));
        Assert.All(lines, static line => Assert.Equal(typeof(Log), line.Where));
    }

    private static string Message(string line)
    {
        using var document = JsonDocument.Parse(line);
        return document.RootElement.GetProperty("Fields").GetProperty("msg").GetString()!;
    }

    /// <summary>A pipe whose reader has stopped reading, until it is released.</summary>
    private sealed class StuckStream : MemoryStream
    {
        public TaskCompletionSource Reached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public ManualResetEventSlim Release { get; } = new(false);
        public MemoryStream Written { get; } = new();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Reached.TrySetResult();
            Release.Wait();
            Written.Write(buffer);
        }

        protected override void Dispose(bool disposing)
        {
            Release.Set();
            base.Dispose(disposing);
        }
    }

    /// <summary>A pipe without a reader.</summary>
    private sealed class BrokenStream(Type fault) : MemoryStream
    {
        public SemaphoreSlim Reached { get; } = new(0);

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (buffer.IsEmpty)
                return;
            Reached.Release();
            throw (Exception)Activator.CreateInstance(fault)!;
        }
    }
}
