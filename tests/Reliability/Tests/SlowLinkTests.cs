using System.Diagnostics;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>A link that takes longer for a message than a write may be stuck is served as long as it carries anything, and given up when it does not.</summary>
public sealed class SlowLinkTests
{
    /// <summary>Octets of a message: at 64 kbit/s 7.5 s of it.</summary>
    private const int Large = 60_000;

    /// <summary>Messages that are on their way at once. Some lie in the kernel's buffer, and the queue has room for the others.</summary>
    private const int Ahead = 3;

    [Fact]
    public async Task Large_messages_come_whole_and_in_order_over_a_slow_link()
    {
        int messages = Effort.Of(2, 8);
        using NetworkPair network = NetworkPair.Create();
        await using Trial trial = await Party.HostAsync(network);
        await using Party party = await Party.GatherAsync(trial, network);
        network.Slow("64kbit");

        Stopwatch waited = Stopwatch.StartNew();
        int sent = 0;
        for (int received = 0; received < messages; received++)
        {
            for (; sent < messages && sent < received + Ahead; sent++)
                await party.SayAsync(Text(sent, Large));
            Assert.Equal(Text(received, Large), await party.ReadSlowlyAsync(party.Slow));
        }
        TimeSpan down = waited.Elapsed;
        // Or the link was not slow, and the test shows nothing.
        Assert.True(down > TimeSpan.FromSeconds(messages * 6), $"{messages} messages in {down.TotalSeconds:0.0} s.");

        waited.Restart();
        for (int i = 0; i < messages / 2; i++)
        {
            string text = Text(i, Large);
            await party.Slow.SendTextAsync(text);
            Assert.Equal(text, await party.ReadSlowlyAsync(party.Sender));
            await party.Reader.ExpectMessagesAsync(text);
        }
        TimeSpan up = waited.Elapsed;
        Assert.True(up > TimeSpan.FromSeconds(messages / 2 * 6), $"{messages / 2} messages up in {up.TotalSeconds:0.0} s.");

        await party.LeaveAsync();
        Latencies latencies = await trial.ConcludeAsync();
        Party.AssertAllLeft(trial);
        Figures.Add(
            $"{messages} messages of 60 kB down a link of 64 kbit/s, {messages / 2} up",
            $"all arrived, {down.TotalSeconds / messages:0.0} s each down, {up.TotalSeconds / (messages / 2):0.0} s up, canary {latencies}");
    }

    [Fact]
    public async Task A_slow_link_that_stops_costs_its_client_the_seat_and_its_peers_nothing()
    {
        using NetworkPair network = NetworkPair.Create();
        await using Trial trial = await Party.HostAsync(network);
        await using Party party = await Party.GatherAsync(trial, network);
        network.Slow("64kbit");
        for (int i = 0; i < Ahead; i++)
            await party.SayAsync(Text(i, Large));
        Assert.Equal(Text(0, Large), await party.ReadSlowlyAsync(party.Slow));
        network.Drop(100);
        Stopwatch waited = Stopwatch.StartNew();
        int said = 0;
        while (trial.Statsd.EndedBy("slow_consumer") == 0)
        {
            // Five seconds without an octet, and one until the statistics tell.
            Assert.True(waited.Elapsed < TimeSpan.FromSeconds(Effort.IsFull ? 8 : 20), $"The dead link keeps its seat. {trial.Statsd}");
            await party.SayAsync($"still here {said++}");
            await Task.Delay(200, TestContext.Current.CancellationToken);
        }
        TimeSpan gone = waited.Elapsed;
        await party.Sender.LeaveAsync();
        await party.Reader.LeaveAsync();
        await trial.ConcludeAsync();
        Assert.Equal(1, trial.Statsd.EndedBy("slow_consumer"));
        Figures.Add("a link of 64 kbit/s that stops in the midst of a message", $"1008 after {gone.TotalSeconds:0.0} s, {said} messages relayed to the others meanwhile");
    }

    private static string Text(int number, int length) => $"{number} {new string((char)('a' + number), length)}";
}
