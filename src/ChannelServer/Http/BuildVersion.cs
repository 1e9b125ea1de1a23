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
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return Unstamped();
        }
        return Unstamped();
    }

    private static BuildVersion? Parse(byte[] json)
    {
        // Not a document, whose code costs a server at rest more memory than the reader's.
        Utf8JsonReader reader = new(json);
        string? version = null, commit = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("version"u8))
                version = Text(ref reader);
            else if (reader.ValueTextEquals("commit"u8))
                commit = Text(ref reader);
            else
                reader.Skip();
        }
        // One more, which throws where something stands behind the object.
        return !reader.Read() && version is { Length: > 0 } ? new BuildVersion(version, commit ?? "", json) : null;

        static string? Text(ref Utf8JsonReader reader)
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.String)
                return reader.GetString();
            reader.Skip();
            return null;
        }
    }

    private static BuildVersion Unstamped()
    {
        string version = typeof(BuildVersion).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
        return new BuildVersion(version, "", Encoding.UTF8.GetBytes(
            $$"""{"source":"","version":"{{version}}","commit":"","build":""}"""));
    }
}
