using System.Diagnostics;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Control frames are the cheapest flood there is.</summary>
public sealed class ControlFloodTests
{
    private const int Flooders = 4;

    [Theory]
    [InlineData("ping", true)]
    [InlineData("ping", false)]
    [InlineData("pong", true)]
    [InlineData("pong", false)]
    public async Task A_flood_is_closed_in_time_and_costs_less_than_half_a_core(string kind, bool reads)
    {
        byte[] burst = [.. Enumerable.Repeat(kind == "ping" ? ClientFrame.Ping([]) : ClientFrame.Pong([]), 2000).SelectMany(frame => frame)];
        await using Trial trial = await Trial.StartAsync();
        TimeSpan cpu = ProcessStatus.Cpu(trial.Process.Id);
        Stopwatch waited = Stopwatch.StartNew();
        bool[] told = await Task.WhenAll(Enumerable.Range(0, Flooders).Select(_ => FloodAsync(trial, burst, reads)));
        TimeSpan closed = waited.Elapsed;
        // Nothing goes on behind the end either.
        await Task.Delay(TimeSpan.FromSeconds(Math.Max(0, 10 - waited.Elapsed.TotalSeconds)));
        double share = (ProcessStatus.Cpu(trial.Process.Id) - cpu) / waited.Elapsed;
        cpu = ProcessStatus.Cpu(trial.Process.Id) - cpu;

        Assert.True(closed < TimeSpan.FromSeconds(Effort.Of(20, 7)), $"Closed after {closed}.");
        // One who reads gets to know why; before one who does not a reset may come.
        Assert.True(!reads || told.All(told => told), "No close frame with 1008.");
        Assert.True(share < 0.5, $"{share:P0} of a core.");
        await trial.ConcludeAsync();
        Assert.Equal(Flooders, trial.Statsd.EndedBy("control_rate") + trial.Statsd.EndedBy("slow_consumer"));
        Figures.Add($"{kind} flood, 4 connections, answers {(reads ? "read" : "unread")}", $"closed after {closed.TotalSeconds:0.00} s, {cpu.TotalSeconds:0.00} s of CPU in all");
    }

    /// <returns>Whether the close frame of a flood was read.</returns>
    private static async Task<bool> FloodAsync(Trial trial, byte[] burst, bool reads)
    {
        await using ChannelClient client = await trial.OpenAsync();
        Task<bool> reading = reads ? ReadCloseAsync(client) : Task.FromResult(false);
        try
        {
            while (!reading.IsCompletedSuccessfully || !reads)
                await client.SendAsync(burst);
        }
        catch (SocketException)
        {
            // The server has had enough.
        }
        return await reading;
    }

    private static async Task<bool> ReadCloseAsync(ChannelClient client)
    {
        try
        {
            Frame frame;
            do
                frame = await client.ReadFrameAsync();
            while (frame.FirstOctet == Frame.Pong);
            return frame.FirstOctet == Frame.Close && frame.Payload.AsSpan().SequenceEqual(ClientFrame.ClosePayload(1008, "rate"u8));
        }
        catch (Exception reset) when (reset is IOException or SocketException)
        {
            return false;
        }
    }
}
