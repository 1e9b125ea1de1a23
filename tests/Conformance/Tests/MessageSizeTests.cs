using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary><c>max_message</c>: octets of one message, whole or in fragments. Only its sender pays for too many.</summary>
public sealed class MessageSizeTests(Servers servers)
{
    private const int Limit = 65536;

    [Theory]
    [InlineData(125)]
    [InlineData(126)]
    [InlineData(65535)]
    [InlineData(Limit)]
    public async Task Messages_up_to_64_KiB_pass_in_minimal_frames(int octets)
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        string text = new('x', octets);
        await pair.First.SendTextAsync(text);
        Frame frame = await pair.Second.ReadFrameAsync();
        Assert.StartsWith($"{{\"message\":\"{text}\",", frame.PayloadText, StringComparison.Ordinal);
        int head = frame.Raw.Length - frame.Payload.Length;
        Assert.Equal(frame.Payload.Length switch { < 126 => 2, <= 65535 => 4, _ => 10 }, head);
    }

    [Fact]
    public async Task A_message_that_grows_by_escaping_passes()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        string text = new('\u0001', Limit);
        await pair.First.SendTextAsync(text);
        await pair.Second.ExpectMessagesAsync(text);
    }

    [Fact]
    public async Task A_fragmented_message_of_64_KiB_passes()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        string[] parts = [.. Enumerable.Repeat(new string('x', Limit / 64), 64)];
        await pair.First.SendAsync(ClientFrame.Fragments(parts));
        await pair.Second.ExpectMessagesAsync(new string('x', Limit));
    }

    [Fact]
    public async Task One_octet_more_ends_the_sender_only()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await ExpectTooBigAsync(pair, ClientFrame.Text(new string('x', Limit + 1)));
    }

    [Fact]
    public async Task One_octet_more_in_fragments_ends_the_sender_only()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await ExpectTooBigAsync(pair, ClientFrame.Fragments(new string('x', Limit), "x"));
    }

    [Fact]
    public async Task A_message_too_big_needs_not_end_to_be_refused()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await ExpectTooBigAsync(pair, ClientFrame.Of(ClientFrame.TextOpcode, Encoding.ASCII.GetBytes(new string('x', Limit + 1))));
    }

    [Fact]
    public async Task White_space_counts_as_it_is_received()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        await ExpectTooBigAsync(pair, ClientFrame.Text(new string(' ', Limit) + "x"));
    }

    [Theory]
    [InlineData(1ul << 20)]
    [InlineData(1ul << 31)]
    [InlineData((1ul << 32) + 5)]
    [InlineData((1ul << 63) - 1)]
    public async Task A_huge_declared_length_ends_the_sender_only(ulong length)
    {
        await using Pair pair = await Pair.OpenAsync(await servers.DefaultAsync());
        // Servers may refuse the head or count what they receive; both end here.
        await ExpectTooBigAsync(pair, ClientFrame.Head(Frame.Text, length), MaskedLetters(Limit + 1));
    }

    [Fact]
    public async Task The_size_can_be_set()
    {
        await using Pair pair = await Pair.OpenAsync(await servers.WithAsync("--max_message=100"));
        await pair.First.SendTextAsync(new string('x', 100));
        await pair.Second.ExpectMessagesAsync(new string('x', 100));
        await ExpectTooBigAsync(pair, ClientFrame.Text(new string('x', 101)));
    }

    private static byte[] MaskedLetters(int octets) => ClientFrame.Text(new string('x', octets))[^octets..];

    private static async Task ExpectTooBigAsync(Pair pair, params byte[][] octets)
    {
        Task sending = pair.Second.SendAsync(octets);
        await pair.Second.ExpectCloseAsync("close-1009");
        await sending;
        await pair.First.ExpectNothingAsync();
    }
}
