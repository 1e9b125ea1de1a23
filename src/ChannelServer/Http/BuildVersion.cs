using System.Text;
using System.Text.Json;

namespace ChannelServer.Http;

/// <summary>
/// Which build this is, in Dockerflow's form: <c>version.json</c> beside the program, stamped by the build and replaceable by whoever
/// packs an image.
/// </summary>
/// <param name="Version">The version of the program.</param>
/// <param name="Commit">The commit that it was built from; empty when it is not known.</param>
/// <param name="Json">The object to serve.</param>
internal sealed record BuildVersion(string Version, string Commit, byte[] Json)
{
    private const int MaxOctets = 16 * 1024;

    /// <summary>The line that <c>--version</c> prints.</summary>
    public string Line => Commit.Length == 0 ? $"channelserver {Version}" : $"channelserver {Version} ({Commit})";

    /// <summary>Reads <c>version.json</c>. A missing or unsound file is no reason not to start: then only the version is known.</summary>
    public static BuildVersion Read(string directory)
    {
        try
        {
            byte[] json = File.ReadAllBytes(Path.Combine(directory, "version.json"));
            if (json.Length <= MaxOctets && Parse(json) is { } version)
                return version;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            return Unstamped();
        }
        return Unstamped();
    }

    private static BuildVersion? Parse(byte[] json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement is { ValueKind: JsonValueKind.Object } root && Text("version") is { Length: > 0 } version
            ? new BuildVersion(version, Text("commit") ?? "", json)
            : null;

        string? Text(string name) =>
            root.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    private static BuildVersion Unstamped()
    {
        string version = typeof(BuildVersion).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
        return new BuildVersion(version, "", Encoding.UTF8.GetBytes(
            $$"""{"source":"","version":"{{version}}","commit":"","build":""}"""));
    }
}
