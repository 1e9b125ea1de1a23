using System.Text;
using ChannelServer.Http;
using ChannelServer.Telemetry;

namespace ChannelServer;

/// <summary>Collects what each source says, lets the heavier source win, and turns the result into <see cref="Settings"/>.</summary>
internal sealed class SettingsLoader
{
    private const string Prefix = "PAIR_";

    // The longest value with a use is a list of proxies.
    private const int MaxValue = 16 * 1024;

    private static readonly Dictionary<string, SettingDefinition> ByName = Index();

    /// <summary>A value and where it was said, as error messages tell it.</summary>
    private sealed record Given(string Value, string Source);

    private readonly Dictionary<SettingDefinition, Given> _given = [];

    public static SettingsLoad Load(IReadOnlyList<string> args, IReadOnlyDictionary<string, string> environment, string directory)
    {
        SettingsLoader loader = new();
        // From heavy to light: the first to say a value wins.
        return loader.TakeArguments(args)
            ?? loader.TakeEnvironment(environment)
            ?? loader.TakeFile(environment, directory)
            ?? loader.Finish();
    }

    private SettingsLoad? TakeArguments(IReadOnlyList<string> args)
    {
        Dictionary<SettingDefinition, Given> source = [];
        for (int i = 0; i < args.Count; i++)
        {
            string arg = args[i];
            if (arg is "-h" or "--help")
                return SettingsLoad.Answer(Help());
            if (arg == "--version")
                return SettingsLoad.Answer(BuildVersion.Read(AppContext.BaseDirectory).Line);
            if (!arg.StartsWith("--", StringComparison.Ordinal))
                return SettingsLoad.Refuse($"unexpected argument {PrintableText.Quote(arg)}; settings are given as --name=value, see --help");
            int equals = arg.IndexOf('=');
            string said = equals < 0 ? arg[2..] : arg[2..equals];
            if (!ByName.TryGetValue(Normal(said), out SettingDefinition? definition))
                return SettingsLoad.Refuse($"unknown argument {PrintableText.Quote("--" + said)}; did you mean --{Nearest(said)}?");
            bool another = i + 1 < args.Count && !args[i + 1].StartsWith("--", StringComparison.Ordinal);
            string value;
            if (equals >= 0)
                value = arg[(equals + 1)..];
            else if (definition.IsSwitch)
                value = another && SettingDefinition.Truth(args[i + 1]) is not null ? args[++i] : "true";
            else if (another)
                value = args[++i];
            else
                return SettingsLoad.Refuse($"argument --{definition.Name} needs a value: {definition.Accepts}");
            // Said twice, the last counts, so that a script's argument can be followed by one's own.
            source[definition] = new Given(value, $"argument --{definition.Name}");
        }
        Yield(source);
        return null;
    }

    private SettingsLoad? TakeEnvironment(IReadOnlyDictionary<string, string> environment)
    {
        Dictionary<SettingDefinition, Given> source = [];
        foreach (string variable in environment.Keys
            .Where(static variable => variable.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase))
            .Order(StringComparer.Ordinal))
        {
            string said = variable[Prefix.Length..];
            if (!ByName.TryGetValue(Normal(said), out SettingDefinition? definition))
                return SettingsLoad.Refuse(
                    $"unknown name {PrintableText.Quote(variable)} in the environment; did you mean {Prefix}{Nearest(said).ToUpperInvariant()}?");
            if (!source.TryAdd(definition, new Given(environment[variable], $"environment {variable}")))
                return SettingsLoad.Refuse($"setting {definition.Name} is given twice: {source[definition].Source} and {variable}");
        }
        Yield(source);
        return null;
    }

    private SettingsLoad? TakeFile(IReadOnlyDictionary<string, string> environment, string directory)
    {
        string mode = environment.GetValueOrDefault("RUN_MODE") is { Length: > 0 } named ? named : "development";
        if (mode.Length > 64 || !mode.All(static c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-'))
            return SettingsLoad.Refuse(
                $"RUN_MODE: {PrintableText.Quote(mode)} is not accepted: the name of a file in config, of letters, digits, _ and -");
        (string file, List<(string Name, string Value)> entries, string? error) = SettingsFile.Read(directory, mode);
        if (error is not null)
            return SettingsLoad.Refuse(error);
        Dictionary<SettingDefinition, Given> source = [];
        foreach ((string name, string value) in entries)
        {
            if (!ByName.TryGetValue(Normal(name), out SettingDefinition? definition))
                return SettingsLoad.Refuse($"unknown setting {PrintableText.Quote(name)} in {file}; did you mean {Nearest(name)}?");
            if (!source.TryAdd(definition, new Given(value, file)))
                return SettingsLoad.Refuse($"setting {definition.Name} is given twice in {file}");
        }
        Yield(source);
        return null;
    }

    private void Yield(Dictionary<SettingDefinition, Given> source)
    {
        foreach ((SettingDefinition definition, Given given) in source)
            _given.TryAdd(definition, given);
    }

    private SettingsLoad Finish()
    {
        Settings settings = new() { Named = _given.Keys.Select(static definition => definition.Name).ToHashSet() };
        foreach (SettingDefinition definition in SettingDefinition.All)
        {
            if (!_given.TryGetValue(definition, out Given? given))
                continue;
            string value = given.Value.Trim();
            if (value.Length > MaxValue || value.Any(char.IsControl) || definition.Read(settings, value) is not { } read)
            {
                string shown = definition.IsConfidential ? "the value" : PrintableText.Quote(definition.Culprit?.Invoke(value) ?? value);
                return SettingsLoad.Refuse($"setting {definition.Name} ({given.Source}): {shown} is not accepted: {definition.Accepts}");
            }
            settings = read;
        }
        if (settings.Heartbeat > TimeSpan.Zero && settings.ClientTimeout <= settings.Heartbeat)
            return SettingsLoad.Refuse($"setting client_timeout{Told("client_timeout")} must be greater than heartbeat{Told("heartbeat")}: "
                + "a client that only answers pings would be cut before it is asked");
        if (settings.Engine == Engine.Epoll && !OperatingSystem.IsLinux())
            return SettingsLoad.Refuse($"setting engine{Told("engine")} needs Linux; auto and kestrel run here");
        return SettingsLoad.Of(settings);

        string Told(string name) => _given.TryGetValue(ByName[name], out Given? given)
            ? $" ({given.Source}: {PrintableText.Quote(given.Value)})"
            : $" (default: {ByName[name].Default})";
    }

    private static Dictionary<string, SettingDefinition> Index()
    {
        Dictionary<string, SettingDefinition> index = [];
        foreach (SettingDefinition definition in SettingDefinition.All)
        {
            index.Add(definition.Name, definition);
            if (definition.Alias is { } alias)
                index.Add(alias, definition);
        }
        return index;
    }

    private static string Normal(string name) => name.Replace('-', '_').ToLowerInvariant();

    private static string Nearest(string name)
    {
        // An unknown name can be of any length; the known ones are short.
        string normal = Normal(name.Length > 64 ? name[..64] : name);
        return ByName.Keys.OrderBy(known => Distance(normal, known)).ThenBy(static known => known, StringComparer.Ordinal).First();
    }

    /// <summary>Levenshtein's distance: insertions, deletions and substitutions that lead from one name to the other.</summary>
    private static int Distance(string from, string to)
    {
        int[] row = [.. Enumerable.Range(0, to.Length + 1)];
        for (int i = 1; i <= from.Length; i++)
        {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int substituted = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(substituted, 1 + Math.Min(row[j], row[j - 1]));
            }
        }
        return row[^1];
    }

    private static string Help()
    {
        StringBuilder text = new("""
            channelserver: relays encrypted messages between two devices that meet in a channel.

            Usage: channelserver [--name=value | --name value]...

            Each setting can come from an argument, from the environment (PAIR_ and its name), or from the file
            config/{RUN_MODE}.json, .ini or .toml (RUN_MODE is an environment variable, by default development).
            An argument outweighs the environment, which outweighs the file. Defaults stand behind the names.

              -h, --help
                  Prints this text.
              --version
                  Prints the version.

            """);
        foreach (SettingDefinition definition in SettingDefinition.All)
        {
            string unit = definition.Unit.Length == 0 ? "" : $" ({definition.Unit})";
            string alias = definition.Alias is null ? "" : $" Also named {definition.Alias}.";
            text.Append($"  --{definition.Name}={definition.Default}{unit}\n      {definition.Meaning}{alias}\n      Accepts {definition.Accepts}.\n");
        }
        return text.ToString().TrimEnd();
    }
}
