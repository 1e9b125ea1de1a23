using System.Diagnostics;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Connections that never become requests.</summary>
public sealed class HeadFloodTests
{
    [Fact]
    public async Task A_thousand_silent_and_two_hundred_dripping_connections_are_gone_after_ten_seconds()
    {
        await using Trial trial = await Trial.StartAsync();
        Stopwatch waited = Stopwatch.StartNew();
        RawConnection[] silent = await ConnectAsync(trial, 1000);
        RawConnection[] dripping = await ConnectAsync(trial, 200);
        byte[] head = new UpgradeRequest().With("X-Slow: " + new string('x', 200)).ToBytes();
        int[] statuses = await Task.WhenAll(
            Task.WhenAll(silent.Select(ReadStatusAsync)), Task.WhenAll(dripping.Select(connection => DripAsync(connection, head)))).ContinueWith(
            static both => both.Result.SelectMany(statuses => statuses).ToArray(), TaskScheduler.Default);
        TimeSpan gone = waited.Elapsed;

        Assert.All(statuses, status => Assert.True(status is 0 or 408, $"{status}"));
        Assert.InRange(gone.TotalSeconds, 8, Effort.IsFull ? 13 : 40);
        await Task.WhenAll(silent.Concat(dripping).Select(connection => connection.DisposeAsync().AsTask()));
        Latencies latencies = await trial.ConcludeAsync();
        Figures.Add("1,000 silent and 200 dripping connections", $"all gone after {gone.TotalSeconds:0.0} s, canary {latencies}");
    }

    private static Task<RawConnection[]> ConnectAsync(Trial trial, int count) => Task.WhenAll(Enumerable.Range(0, count).Select(_ => trial.ConnectAsync()));

    private static async Task<int> DripAsync(RawConnection connection, byte[] head)
    {
        Task<int> status = ReadStatusAsync(connection);
        for (int i = 0; i < head.Length - 4 && !status.IsCompleted; i++)
        {
            try
            {
                await connection.SendAsync([head[i]]);
            }
            catch (SocketException)
            {
                break;
            }
            await Task.WhenAny(status, Task.Delay(1000));
        }
        return await status;
    }

    /// <returns>The status of the answer; 0 when there is none.</returns>
    private static async Task<int> ReadStatusAsync(RawConnection connection)
    {
        byte[] answer = await connection.ReadToEndAsync(TimeSpan.FromSeconds(60));
        return answer.Length == 0 ? 0 : HttpResponse.Parse(Encoding.ASCII.GetString(answer).Split("\r\n\r\n")[0]).Status;
    }
}
