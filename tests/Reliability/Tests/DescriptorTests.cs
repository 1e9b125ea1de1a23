using System.Diagnostics;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>More connections than the process may have descriptors.</summary>
public sealed class DescriptorTests
{
    [Fact]
    public async Task A_server_out_of_descriptors_keeps_its_sessions_and_recovers()
    {
        Effort.Require(File.Exists("/usr/bin/prlimit"), "prlimit");
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Prefix = ["prlimit", "--nofile=512"],
            // On a busy machine the first would time out before the last have come, and their places be taken again.
            Settings = ["--client_timeout=600"],
            SlackDescriptors = 16,
        });
        List<Socket> sockets = [];
        List<string> answers = [];
        for (int i = 0; i < 2000; i++)
        {
            Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            sockets.Add(socket);
            await socket.ConnectAsync(trial.Server.Address);
            // Some want a channel, some are silent; some are only in the kernel's queue.
            if (i % 2 == 0)
                await socket.SendAsync(new UpgradeRequest().ToBytes());
        }
        await Task.Delay(2000, TestContext.Current.CancellationToken);
        await trial.ExpectHealthAsync();
        foreach (Socket socket in sockets)
        {
            byte[] answer = new byte[12];
            if (socket.Available >= answer.Length && socket.Receive(answer) == answer.Length)
                answers.Add(Encoding.ASCII.GetString(answer));
            socket.Close(0);
        }
        Assert.All(answers, answer => Assert.True(answer is "HTTP/1.1 101" or "HTTP/1.1 503", answer));
        int upgraded = answers.Count(answer => answer.EndsWith('1'));
        int refused = answers.Count(answer => answer.EndsWith('3'));
        // 80 % of the descriptors at the most; everybody else who asked was told, except for those whose answer made room for others unread.
        Assert.InRange(upgraded, 200, 409);
        Assert.InRange(refused, 500, 1000 - upgraded);
        Stopwatch waited = Stopwatch.StartNew();
        await trial.ExpectHealthAsync();
        await using (ChannelClient newcomer = await trial.OpenAsync())
            await newcomer.LeaveAsync();
        TimeSpan recovered = waited.Elapsed;
        Assert.True(recovered < TimeSpan.FromSeconds(Effort.IsFull ? 2 : 8), $"Recovered after {recovered}.");
        Latencies latencies = await trial.ConcludeAsync();
        Figures.Add("512 descriptors, 2,000 connections", $"{upgraded} upgraded, {refused} told 503, recovered {recovered.TotalSeconds:0.00} s after, canary {latencies}");
    }
}
