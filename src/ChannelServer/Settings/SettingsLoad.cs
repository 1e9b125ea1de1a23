namespace ChannelServer;

/// <summary>What came of reading the settings: settings to run with, or a text to print and the status to exit with.</summary>
/// <param name="Settings">The settings; null when the process shall not start.</param>
/// <param name="Text">What to print instead of starting, without a line end.</param>
/// <param name="ExitStatus">0 when <paramref name="Text"/> is what the user asked for, 2 when it is an error.</param>
public sealed record SettingsLoad(Settings? Settings, string Text, int ExitStatus)
{
    /// <summary>Prints <see cref="Text"/>, an error to <paramref name="error"/>, and returns the exit status.</summary>
    public int Report(TextWriter output, TextWriter error)
    {
        ArgumentNullException.ThrowIfNull(output);
        ArgumentNullException.ThrowIfNull(error);
        (ExitStatus == 0 ? output : error).WriteLine(Text);
        return ExitStatus;
    }

    internal static SettingsLoad Of(Settings settings) => new(settings, "", 0);

    internal static SettingsLoad Answer(string text) => new(null, text, 0);

    internal static SettingsLoad Refuse(string error) => new(null, $"channelserver: {error}", 2);
}
