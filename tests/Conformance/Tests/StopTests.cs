using System.Diagnostics;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>SIGTERM and SIGINT: every session gets what was accepted for it, then 1001, then a clean end.</summary>
public sealed class StopTests
{
    [Theory]
    [InlineData(ServerProcess.Sigterm)]
    [InlineData(ServerProcess.Sigint)]
    public async Task A_stop_closes_every_session_with_1001_behind_what_was_accepted(int signal)
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--max_exchanges=0");
        await using ServerProcess process = server.Process!;
        Pair[] pairs = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Pair.OpenAsync(server)));
        string[] accepted = [.. Enumerable.Range(0, 20).Select(i => $"{i}")];
        foreach (Pair pair in pairs)
        {
            await pair.First.SendTextAsync(accepted);
            // The pong tells that all before the ping was heard. The second has read nothing yet.
            await pair.First.ExpectNothingAsync();
        }

        Stopwatch waited = Stopwatch.StartNew();
        process.Signal(signal);
        await Task.WhenAll(pairs.Select(async pair =>
        {
            await pair.Second.ExpectMessagesAsync(accepted);
            await pair.Second.ExpectCloseAsync("close-1001");
            await pair.First.ExpectCloseAsync("close-1001");
            await pair.DisposeAsync();
        }));
        ServerProcess.Outcome outcome = await process.EndedAsync();
        Assert.True(outcome.Status == 0, outcome.ToString());
        Assert.True(waited.Elapsed < TimeSpan.FromSeconds(5), $"Stopping took {waited.Elapsed}.");
    }

    [Fact]
    public async Task A_client_that_never_answers_the_close_does_not_hold_the_stop_up()
    {
        ServerUnderTest server = await ServerProcess.StartAsync();
        await using ServerProcess process = server.Process!;
        await using Pair pair = await Pair.OpenAsync(server);
        await using RawConnection undecided = await RawConnection.ConnectAsync(server.Address);
        await undecided.SendAsync("GET /v1/ws/ HT");
        await undecided.SendAsync("T");
        await pair.First.ExpectNothingAsync();

        Stopwatch waited = Stopwatch.StartNew();
        process.Signal(ServerProcess.Sigterm);
        ServerProcess.Outcome outcome = await process.EndedAsync();
        Assert.True(outcome.Status == 0, outcome.ToString());
        Assert.True(waited.Elapsed < TimeSpan.FromSeconds(5), $"Stopping took {waited.Elapsed}.");
    }
}
