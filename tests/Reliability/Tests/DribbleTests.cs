using System.Diagnostics;
using System.Net.Sockets;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Messages that are begun, and go on so slowly that they never end. Each holds a buffer, and every octet is a sign of life.</summary>
public sealed class DribbleTests
{
    private const int Dribblers = 200;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_message_that_takes_more_than_ten_seconds_ends_its_client_and_no_other(bool inFragments)
    {
        await using Trial trial = await Trial.StartCalmAsync("--heartbeat=1", "--client_timeout=30");
        // One octet a second, or one fragment.
        byte[][] parts = inFragments
            ? ClientFrame.Fragments([.. Enumerable.Repeat("x", 60)])
            : [.. ClientFrame.Text(new string('x', 60)).Select(octet => new byte[] { octet })];
        TimeSpan[] ends = await Task.WhenAll(Enumerable.Range(0, Dribblers).Select(_ => DribbleAsync(trial, parts)));
        Latencies latencies = await trial.ConcludeAsync();
        Assert.Equal(Dribblers, trial.Statsd.EndedBy("fragments"));
        // Looked at with each ping: up to a heartbeat later.
        Assert.InRange(ends.Min().TotalSeconds, 9, 14);
        Assert.InRange(ends.Max().TotalSeconds, 9, Effort.IsFull ? 13 : 25);
        Figures.Add($"{Dribblers} clients that send one {(inFragments ? "fragment" : "octet")} of a message a second",
            $"1008 after {ends.Min().TotalSeconds:0.0} to {ends.Max().TotalSeconds:0.0} s, canary {latencies}");
    }

    /// <returns>How long after its first octet the message was cut.</returns>
    private static async Task<TimeSpan> DribbleAsync(Trial trial, byte[][] parts)
    {
        await using ChannelClient client = await trial.OpenAsync();
        Stopwatch waited = Stopwatch.StartNew();
        Task<TimeSpan> ending = EndAsync(client, waited);
        for (int i = 0; i < parts.Length && !ending.IsCompleted; i++)
        {
            try
            {
                await client.SendAsync(parts[i]);
            }
            catch (SocketException)
            {
                break;
            }
            await Task.WhenAny(ending, Task.Delay(1000));
        }
        return await ending;
    }

    private static async Task<TimeSpan> EndAsync(ChannelClient client, Stopwatch waited)
    {
        Frame frame;
        do
            frame = await client.Connection.ReadFrameAsync(TimeSpan.FromSeconds(30));
        while (frame.FirstOctet == Frame.Ping);
        Golden.AssertFrame("close-1008-fragments", frame);
        return waited.Elapsed;
    }
}
