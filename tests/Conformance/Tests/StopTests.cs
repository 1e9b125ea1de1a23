using System.Diagnostics;
using System.Net.Sockets;
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
        ServerUnderTest server = await ServerProcess.StartAsync("--max_exchanges=0", "--shutdown_timeout=30");
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
        // Half of what a session that is forgotten would take.
        Assert.True(waited.Elapsed < TimeSpan.FromSeconds(15), $"Stopping took {waited.Elapsed}.");
    }

    /// <summary>Whoever supervises it may lose patience at any moment, the last included, when the host is being freed and the runtime goes.</summary>
    /// <param name="fromWhen">Whether the signals begin with the stop, or only when the ports are closed.</param>
    [Theory]
    [InlineData("the first moment")]
    [InlineData("the last moments")]
    public async Task Signals_that_come_until_the_process_is_gone_change_nothing(string fromWhen)
    {
        for (int round = 0; round < 6; round++)
        {
            ServerUnderTest server = await ServerProcess.StartAsync("--drain_window=0");
            await using ServerProcess process = server.Process!;
            Pair pair = await Pair.OpenAsync(server);
            if (fromWhen == "the last moments")
            {
                process.Signal(ServerProcess.Sigterm);
                await pair.First.ExpectCloseAsync("close-1001");
                await pair.Second.ExpectCloseAsync("close-1001");
                await pair.DisposeAsync();
                await UntilClosedAsync(server);
            }
            ServerProcess.Outcome outcome = await process.SignalUntilEndedAsync(ServerProcess.Sigterm, ServerProcess.Sigint, ServerProcess.Sighup);
            await pair.DisposeAsync();
            Assert.True(outcome.Status == 0 && outcome.Errors.Length == 0, $"Round {round}: {outcome}");
            Assert.Contains("ServerStopped", outcome.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("Exception", outcome.Output, StringComparison.Ordinal);
        }
    }

    private static async Task UntilClosedAsync(ServerUnderTest server)
    {
        while (true)
        {
            try
            {
                await (await RawConnection.ConnectAsync(server.Address)).DisposeAsync();
            }
            catch (SocketException)
            {
                return;
            }
        }
    }

    [Fact]
    public async Task A_client_that_never_answers_the_close_does_not_hold_the_stop_up()
    {
        ServerUnderTest server = await ServerProcess.StartAsync("--shutdown_timeout=30");
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
        Assert.True(waited.Elapsed < TimeSpan.FromSeconds(15), $"Stopping took {waited.Elapsed}.");
    }
}
