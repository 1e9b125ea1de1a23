namespace ChannelServer.Conformance.Tests;

/// <summary>docs/protocol.md and the golden frames say the same.</summary>
public sealed class DocumentTests
{
    private static readonly string _document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "protocol.md"));

    public static TheoryData<string> Frames => [.. Golden.Names.Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Frames))]
    public void The_document_shows_each_golden_frame(string name) =>
        Assert.Contains($"```\n{Golden.Source(name)}```\n", _document, StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(Frames))]
    public void A_golden_frame_is_as_long_as_its_head_says(string name)
    {
        byte[] octets = Golden.Octets(name);
        bool isClients = name.StartsWith("client-", StringComparison.Ordinal);
        int second = octets[1];
        Assert.Equal(isClients, (second & 0x80) != 0);
        int length = second & 0x7F;
        int head = 2;
        if (length == 126)
            (length, head) = ((octets[2] << 8) | octets[3], 4);
        Assert.Equal(octets.Length, head + (isClients ? 4 : 0) + length);
    }

    [Fact]
    public void The_document_shows_no_frame_that_has_no_golden_file()
    {
        int shown = _document.Split("```\n8").Length - 1;
        Assert.Equal(Golden.Names.Count(), shown);
    }
}
