using System.Globalization;

namespace ChannelServer.Reliability.Harness;

/// <summary>Figures of a run, one line each, appended to the file that <c>RELIABILITY_FIGURES</c> names.</summary>
internal static class Figures
{
    private static readonly string? _file = Environment.GetEnvironmentVariable("RELIABILITY_FIGURES");
    private static readonly Lock _gate = new();

    public static void Add(string what, FormattableString figure)
    {
        string line = string.Create(CultureInfo.InvariantCulture, $"| {Effort.Engine} | {what} | {FormattableString.Invariant(figure)} |");
        TestContext.Current.TestOutputHelper?.WriteLine(line);
        if (_file is null)
            return;
        lock (_gate)
            File.AppendAllText(_file, line + "\n");
    }
}
