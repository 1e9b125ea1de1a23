using System.Text.RegularExpressions;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance;

/// <summary>
/// The golden frames: files that docs/protocol.md shows word for word. A line is hexadecimal octets, with a remark behind a
/// semicolon, or, behind <c>&gt; </c>, text in UTF-8. <c>{channel}</c> in a text stands for a channel id, <c>{token}</c> for a resume token.
/// </summary>
internal static partial class Golden
{
    /// <summary>As long as every id, so that lengths hold.</summary>
    private const string SomeId = "AAAAAAAAAAAAAAAAAAAAAA";

    /// <summary>As long as every token.</summary>
    private const string SomeToken = "00000000000000000000000000000000";

    private static readonly string _folder = Path.Combine(Repository.Root, "docs", "frames");

    public static IEnumerable<string> Names => Directory.EnumerateFiles(_folder, "*.txt").Select(Path.GetFileNameWithoutExtension)!;

    public static string Source(string name) => File.ReadAllText(Path.Combine(_folder, $"{name}.txt"));

    public static byte[] Octets(string name, string channelId = SomeId, string token = SomeToken)
    {
        List<byte> octets = [];
        foreach (string line in Source(name).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("> ", StringComparison.Ordinal))
                octets.AddRange(Encoding.UTF8.GetBytes(
                    line[2..].Replace("{channel}", channelId, StringComparison.Ordinal).Replace("{token}", token, StringComparison.Ordinal)));
            else
                octets.AddRange(Convert.FromHexString(WhiteSpace().Replace(line.Split(';')[0], "")));
        }
        return [.. octets];
    }

    public static void AssertFrame(string name, Frame actual, string channelId = SomeId, string token = SomeToken)
    {
        byte[] expected = Octets(name, channelId, token);
        if (!actual.Raw.AsSpan().SequenceEqual(expected))
            Assert.Fail($"Expected the frame {name}:\n  {Convert.ToHexStringLower(expected)}\ngot:\n  {Convert.ToHexStringLower(actual.Raw)}\n  {actual}");
    }

    /// <summary>Compares a greeting; its token, if the golden frame has one, may be any, and so may three digits of <c>expires_in</c>.</summary>
    public static void AssertGreeting(string name, Frame actual, string channelId)
    {
        string token = Token().Match(actual.PayloadText) is { Success: true } match ? match.Groups[1].Value : SomeToken;
        string payload = ExpiresIn().Replace(actual.PayloadText, "\"expires_in\":300");
        byte[] octets = [.. actual.Raw.AsSpan(..^actual.Payload.Length), .. Encoding.UTF8.GetBytes(payload)];
        AssertFrame(name, actual with { Raw = octets }, channelId, token);
    }

    [GeneratedRegex("\"resume\":\"([0-9a-f]{32})\"")]
    private static partial Regex Token();

    [GeneratedRegex("\"expires_in\":[1-3][0-9][0-9]\\b")]
    private static partial Regex ExpiresIn();

    [GeneratedRegex(@"\s")]
    private static partial Regex WhiteSpace();
}
