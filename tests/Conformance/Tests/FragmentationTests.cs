using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Fragmented messages are put together (RFC 6455, section 5.4), up to 64 fragments.</summary>
public sealed class FragmentationTests(Servers servers)
{
    [Theory]
    [InlineData("one", "two")]
    [InlineData("a", "b", "c", "d")]
    [InlineData("", "", "end")]
    [InlineData("begin", "", "")]
    [InlineData(" trimmed ", " as a whole ")]
    public async Task Fragments_become_one_message(params string[] parts)
    {
        await using Pair pair = await PairAsync();
        await pair.Second.SendAsync(ClientFrame.Fragments(parts));
        await pair.First.ExpectMessagesAsync(string.Concat(parts).Trim());
    }

    [Fact]
    public async Task A_code_point_may_be_split_between_fragments()
    {
        await using Pair pair = await PairAsync();
        byte[] fox = Encoding.UTF8.GetBytes("\ud83e\udd8a");
        await pair.Second.SendAsync(
            ClientFrame.Of(ClientFrame.TextOpcode, fox.AsSpan(0, 1)),
            ClientFrame.Of(ClientFrame.Continuation, fox.AsSpan(1, 2)),
            ClientFrame.Of(ClientFrame.Fin | ClientFrame.Continuation, fox.AsSpan(3)));
        await pair.First.ExpectMessagesAsync("\ud83e\udd8a");
    }

    [Fact]
    public async Task Control_frames_between_fragments_are_answered_at_once()
    {
        await using Pair pair = await PairAsync();
        byte[][] fragments = ClientFrame.Fragments("before ", "after");
        await pair.Second.SendAsync(fragments[0], Golden.Octets("client-ping"), ClientFrame.Pong("unasked"u8));
        Golden.AssertFrame("pong", await pair.Second.ReadFrameAsync());
        await pair.Second.SendAsync(fragments[1]);
        await pair.First.ExpectMessagesAsync("before after");
    }

    [Fact]
    public async Task A_close_between_fragments_is_answered()
    {
        await using Pair pair = await PairAsync();
        await pair.Second.SendAsync(ClientFrame.Fragments("never ", "finished")[0], ClientFrame.Close(1000));
        await pair.Second.ExpectCloseAsync("close-1000");
        await pair.First.ExpectNothingAsync();
    }

    [Fact]
    public async Task Sixty_four_fragments_pass()
    {
        await using Pair pair = await PairAsync();
        string[] parts = [.. Enumerable.Range(0, 64).Select(i => $"{i},")];
        await pair.Second.SendAsync(ClientFrame.Fragments(parts));
        await pair.First.ExpectMessagesAsync(string.Concat(parts));
        // The count begins anew with each message.
        await pair.Second.SendAsync(ClientFrame.Fragments(parts));
        await pair.First.ExpectMessagesAsync(string.Concat(parts));
    }

    [Fact]
    public async Task One_fragment_more_ends_the_sender_only()
    {
        await using Pair pair = await PairAsync();
        await pair.Second.SendAsync(ClientFrame.Fragments([.. Enumerable.Repeat("x", 65)]));
        await pair.Second.ExpectCloseAsync("close-1008-fragments");
        await pair.First.ExpectNothingAsync();
    }

    [Fact]
    public async Task Empty_fragments_count_too()
    {
        await using Pair pair = await PairAsync();
        await pair.Second.SendAsync(ClientFrame.Fragments([.. Enumerable.Repeat("", 65)]));
        await pair.Second.ExpectCloseAsync("close-1008-fragments");
    }

    private async Task<Pair> PairAsync() => await Pair.OpenAsync(await servers.DefaultAsync());
}
