using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace ChannelServer.Tests.Architecture;

/// <summary>Decisions about the sources that a reviewer would otherwise have to remember.</summary>
public sealed partial class SourceTests
{
    private static readonly string _src = Path.Combine(Repository.Root, "src", "ChannelServer");

    [Fact]
    public void Unsafe_code_stands_in_the_declarations_of_the_Linux_engine_alone() =>
        Assert.DoesNotContain(
            Sources().Where(file => Path.GetRelativePath(_src, file).Replace('\\', '/') != "Transport/Linux/LibC.cs"),
            file => File.ReadLines(file).Any(line => UnsafeKeyword().IsMatch(CommentOrText().Replace(line, ""))));

    [Fact]
    public void No_file_is_longer_than_400_lines() => Assert.DoesNotContain(Sources(), file => File.ReadLines(file).Count() > 400);

    [Fact]
    public void The_server_has_exactly_these_packages() =>
        Assert.Equal(["MaxMind.Db", "Tomlyn"], XDocument.Load(Path.Combine(_src, "ChannelServer.csproj"))
            .Descendants("PackageReference").Select(package => package.Attribute("Include")!.Value).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("    private static unsafe void F()", true)]
    [InlineData("        unsafe", true)]
    [InlineData("/// unsafe code.", false)]
    [InlineData("    F(\"unsafe\"); // unsafe", false)]
    [InlineData("    sockets.UnsafePreferInlineScheduling = true;", false)]
    public void The_rule_sees_the_keyword_and_nothing_else(string line, bool isSeen) =>
        Assert.Equal(isSeen, UnsafeKeyword().IsMatch(CommentOrText().Replace(line, "")));

    private static IEnumerable<string> Sources() => Directory.EnumerateFiles(_src, "*.cs", SearchOption.AllDirectories)
        .Where(file => !Path.GetRelativePath(_src, file).Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"));

    [GeneratedRegex(@"\bunsafe\b")]
    private static partial Regex UnsafeKeyword();

    [GeneratedRegex("//.*|\"[^\"]*\"")]
    private static partial Regex CommentOrText();
}
