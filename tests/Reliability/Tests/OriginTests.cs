using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Pages of other sites, in the browsers of their visitors.</summary>
public sealed class OriginTests
{
    private static readonly string?[] _origins =
    [
        "https://good.example", "https://evil.example", "null", null, "https://good.example.evil.example", "http://good.example", "https://good.example:8443",
    ];

    /// <param name="list">What is allowed; nothing allows all.</param>
    /// <param name="admitted">How many of the origins come in: the good one, and who is no browser.</param>
    [Theory]
    [InlineData("", 7)]
    [InlineData("https://good.example", 2)]
    public async Task Who_is_not_on_the_list_stays_out(string list, int admitted)
    {
        await using Trial trial = await Trial.StartCalmAsync($"--allowed_origins={list}");
        for (int round = 0; round < Effort.Of(10, 200); round++)
        {
            int[] statuses = await Task.WhenAll(_origins.Select(origin => AskAsync(trial, origin)));
            Assert.Equal(admitted, statuses.Count(status => status == 101));
            Assert.Equal(_origins.Length - admitted, statuses.Count(status => status == 403));
            Assert.Equal((101, 101), (statuses[0], statuses[3]));
        }
        await trial.ConcludeAsync();
    }

    private static async Task<int> AskAsync(Trial trial, string? origin)
    {
        await using RawConnection connection = await trial.ConnectAsync();
        await connection.SendAsync(new UpgradeRequest().With(origin is null ? [] : [$"Origin: {origin}"]).ToBytes());
        return (await connection.ReadResponseAsync()).Status;
    }
}
