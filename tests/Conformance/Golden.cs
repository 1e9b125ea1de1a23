using System.Text.RegularExpressions;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance;

/// <summary>
/// The golden frames: files that docs/protocol.md shows word for word. A line is hexadecimal octets, with a remark behind a
/// semicolon, or, behind <c>&gt; </c>, text in UTF-8. <c>{channel}</c> in a text stands for a channel id.
/// </summary>
internal static partial class Golden
{
    /// <summary>As long as every id, so that lengths hold.</summary>
    private const string SomeId = "AAAAAAAAAAAAAAAAAAAAAA";

    private static readonly string _folder = Path.Combine(Repository.Root, "docs", "frames");

    public static IEnumerable<string> Names => Directory.EnumerateFiles(_folder, "*.txt").Select(Path.GetFileNameWithoutExtension)!;

    public static string Source(string name) => File.ReadAllText(Path.Combine(_folder, $"{name}.txt"));

    public static byte[] Octets(string name, string channelId = SomeId)
    {
        List<byte> octets = [];
        foreach (string line in Source(name).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("> ", StringComparison.Ordinal))
                octets.AddRange(Encoding.UTF8.GetBytes(line[2..].Replace("{channel}", channelId, StringComparison.Ordinal)));
            else
                octets.AddRange(Convert.FromHexString(WhiteSpace().Replace(line.Split(';')[0], "")));
        }
        return [.. octets];
    }

    public static void AssertFrame(string name, Frame actual, string channelId = SomeId)
    {
        byte[] expected = Octets(name, channelId);
        if (!actual.Raw.AsSpan().SequenceEqual(expected))
            Assert.Fail($"Expected the frame {name}:\n  {Convert.ToHexStringLower(expected)}\ngot:\n  {Convert.ToHexStringLower(actual.Raw)}\n  {actual}");
    }

    [GeneratedRegex(@"\s")]
    private static partial Regex WhiteSpace();
}
