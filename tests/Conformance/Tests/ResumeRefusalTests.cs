using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Who does not get a seat back is told one thing, whatever the cause, and changes nothing.</summary>
public sealed class ResumeRefusalTests(Servers servers)
{
    private const string SomeToken = "0123456789abcdef0123456789abcdef";

    /// <summary>Targets, in which {id} and {token} stand for those of a seat that is there.</summary>
    public static TheoryData<string> Targets => [
        $"/v1/ws/{{id}}?resume={SomeToken}",
        "/v1/ws/{id}?resume=00000000000000000000000000000000",
        "/v1/ws/{id}?resume=",
        "/v1/ws/{id}?resume={token}0",
        "/v1/ws/{id}?resume=0{token}",
        "/v1/ws/{id}?resume={token}%20",
        "/v1/ws/{id}?resume={token}=",
        "/v1/ws/{id}?resume={TOKEN}",
        "/v1/ws/{id}?resume={short}",
        "/v1/ws/{id}?resume={short}g",
        $"/v1/ws/{{id}}?resume={SomeToken}&resume={{token}}",
        "/v1/ws/?resume={token}",
        "/v1/ws/AAAAAAAAAAAAAAAAAAAAAA?resume={token}",
        "/v1/ws/nonsense?resume={token}",
        "/v1/ws/{other}?resume={token}",
        "/v1/ws/{id}?resume={token}&received=",
        "/v1/ws/{id}?resume={token}&received=x",
        "/v1/ws/{id}?resume={token}&received=-1",
        "/v1/ws/{id}?resume={token}&received=+1",
        "/v1/ws/{id}?resume={token}&received=1.",
        "/v1/ws/{id}?resume={token}&received=3",
        "/v1/ws/{id}?resume={token}&received=4294967297",
        "/v1/ws/{id}?resume={token}&received=99999999999999999999999999",
        "/v1/ws/{id}?received=0&resume={token}&received=1",
    ];

    [Theory]
    [MemberData(nameof(Targets))]
    public async Task The_answer_is_the_same_and_the_seat_unchanged(string target)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient other = await ChannelClient.OpenAsync(server);
        // Two envelopes have been sent and acknowledged, so that received may only be 2.
        await pair.First.SendTextAsync("one", "two");
        await pair.Second.ExpectMessagesAsync("one", "two");
        await pair.Second.ExpectNothingAsync();

        string filled = target
            .Replace("{id}", pair.Second.ChannelId, StringComparison.Ordinal)
            .Replace("{other}", other.ChannelId, StringComparison.Ordinal)
            .Replace("{token}", pair.Second.Token, StringComparison.Ordinal)
            .Replace("{TOKEN}", pair.Second.Token.ToUpperInvariant(), StringComparison.Ordinal)
            .Replace("{short}", pair.Second.Token[..31], StringComparison.Ordinal);
        await using ChannelClient refused = await ChannelClient.UpgradeAsync(server, filled);
        await refused.ExpectCloseAsync("close-4401");
        await Pair.ExpectRelayAsync(pair.First, pair.Second);
        await Pair.ExpectRelayAsync(pair.Second, pair.First);
    }

    [Fact]
    public async Task The_whole_response_is_the_same()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        string[] targets = [
            ChannelClient.ResumeTarget(pair.First.ChannelId, SomeToken),
            ChannelClient.ResumeTarget("AAAAAAAAAAAAAAAAAAAAAA", pair.First.Token),
            ChannelClient.ResumeTarget(pair.First.ChannelId, pair.First.Token, 7),
            "/v1/ws/?resume=x",
        ];
        HashSet<string> responses = [];
        foreach (string target in targets)
        {
            await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
            await connection.SendAsync(new UpgradeRequest(target).ToBytes());
            responses.Add(Encoding.Latin1.GetString(await connection.ReadToEndAsync(RawConnection.Patience)));
        }
        Assert.Single(responses);
    }

    [Fact]
    public async Task A_token_opens_its_own_seat_and_not_that_of_a_peer()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        Assert.NotEqual(pair.First.Token, pair.Second.Token);
        await using ChannelClient back = await ChannelClient.ResumeAsync(server, pair.Second);
        await pair.Second.ExpectCloseAsync("close-4401");
        await Pair.ExpectRelayAsync(pair.First, back);
    }

    [Fact]
    public async Task A_seat_keeps_its_version()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await Version2.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await first.ExpectPeerAsync("2", "joined");

        await ChannelClient.ExpectNoResumeAsync(server, first);
        await using ChannelClient refused = await Version2.UpgradeAsync(server, ChannelClient.ResumeTarget(second.ChannelId, second.Token));
        await refused.ExpectEndFrameAsync("4401");
        await first.SendTextAsync("unharmed");
        await second.ExpectMessagesAsync("unharmed");
    }

    [Fact]
    public async Task Parameters_may_come_in_any_order_and_others_mean_nothing()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient back = await ChannelClient.UpgradeAsync(
            server, $"/v1/ws/{pair.First.ChannelId}?a=b&received=0&&resume={pair.First.Token}&c");
        await back.ReadGreetingAsync();
        await using ChannelClient third = await ChannelClient.UpgradeAsync(server, $"/v1/ws/{pair.First.ChannelId}?received=7&presume=x");
        await third.ReadGreetingAsync();
        Assert.Null(third.Received);
    }
}
