using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace ChannelServer.Bench;

/// <summary>Where, when and of what the figures were taken.</summary>
internal sealed record Surroundings(string Date, string Machine, string Kernel, string Runtime, string Commit, string Command, int Rounds)
{
    public static Surroundings Read(string command, int rounds)
    {
        string model = Value("/proc/cpuinfo", "model name"), memory = Value("/proc/meminfo", "MemTotal");
        double gibibytes = double.Parse(memory.Split(' ')[0], CultureInfo.InvariantCulture) / (1024 * 1024);
        int cores = File.ReadLines("/proc/cpuinfo").Count(static line => line.StartsWith("processor", StringComparison.Ordinal));
        return new Surroundings(
            DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            FormattableString.Invariant($"{model} ({cores} virtual cores, {gibibytes:F0} GiB)"),
            RuntimeInformation.OSDescription,
            RuntimeInformation.FrameworkDescription,
            Git("describe", "--always", "--dirty"),
            command,
            rounds);
    }

    private static string Value(string path, string name) =>
        File.ReadLines(path).First(line => line.StartsWith(name, StringComparison.Ordinal)).Split(':', 2)[1].Trim();

    private static string Git(params string[] arguments)
    {
        using Process git = Process.Start(new ProcessStartInfo("git", arguments) { RedirectStandardOutput = true })!;
        string answer = git.StandardOutput.ReadToEnd().Trim();
        git.WaitForExit();
        return answer.Length > 0 ? answer : "unknown";
    }
}
