using System.Net.Sockets;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Frames that want memory or time for nothing.</summary>
public sealed class FrameFloodTests
{
    private const int Attackers = 50;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Fragments_without_end_are_refused(int octets)
    {
        byte[] start = ClientFrame.Of(ClientFrame.TextOpcode, new byte[octets]);
        byte[] flood = [.. start, .. Enumerable.Repeat(ClientFrame.Of(ClientFrame.Continuation, new byte[octets]), 20_000).SelectMany(frame => frame)];
        await using Trial trial = await Trial.StartAsync();
        ProcessStatus.ResetPeak(trial.Process.Id);
        await AttackAsync(trial, "close-1008-fragments", flood);
        long growth = ProcessStatus.PeakKilobytes(trial.Process.Id) - trial.ResidentBefore;
        // The floods are of 7 MB together for each octet in a fragment, and 6 for its head.
        Assert.True(growth < 20 * 1024, $"{growth} kB more than before.");
        await trial.ConcludeAsync();
        Assert.Equal(Attackers, trial.Statsd.EndedBy("fragments"));
    }

    [Fact]
    public async Task A_message_of_64_KiB_passes_and_one_octet_more_does_not()
    {
        await using Trial trial = await Trial.StartAsync();
        await using ChannelClient first = await trial.OpenAsync();
        await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
        string largest = new('x', 65536);
        await first.SendTextAsync(largest);
        await second.ExpectMessagesAsync(largest);
        await AttackAsync(trial, "close-1009", ClientFrame.Text(largest + "x"));
        await AttackAsync(trial, "close-1009", [.. ClientFrame.Fragments(largest, "x").SelectMany(frame => frame)]);
        await first.LeaveAsync();
        await second.LeaveAsync();
        await trial.ConcludeAsync();
        Assert.Equal(2 * Attackers, trial.Statsd.EndedBy("message_too_big"));
    }

    [Fact]
    public async Task Nothing_is_allocated_from_a_declared_length()
    {
        await using Trial trial = await Trial.StartAsync();
        ProcessStatus.ResetPeak(trial.Process.Id);
        await AttackAsync(trial, "close-1009", ClientFrame.Head(Frame.Text, long.MaxValue));
        await AttackAsync(trial, "close-1002", ClientFrame.Head(Frame.Text, 1UL << 63));

        // Legal lengths of messages that never come.
        ChannelClient[] promising = await Task.WhenAll(Enumerable.Range(0, 400).Select(async _ =>
        {
            ChannelClient client = await trial.OpenAsync();
            await client.SendAsync(ClientFrame.Head(Frame.Text, 65536), [0]);
            return client;
        }));
        long growth = ProcessStatus.PeakKilobytes(trial.Process.Id) - trial.ResidentBefore;
        // 400 messages of 64 KiB would be 25 MB.
        Assert.True(growth < 20 * 1024, $"{growth} kB more than before.");
        foreach (ChannelClient client in promising)
            client.Connection.Reset();
        await trial.ConcludeAsync();
        Figures.Add("declared lengths: 50 of 2^63-1, 50 of 2^63, 400 of 64 KiB", $"peak {growth / 1024.0:0.0} MB over the start");
    }

    [Fact]
    public async Task Compression_is_neither_negotiated_nor_accepted()
    {
        await using Trial trial = await Trial.StartAsync();
        await using (RawConnection connection = await trial.ConnectAsync())
        {
            await connection.SendAsync(new UpgradeRequest().With("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits").ToBytes());
            HttpResponse response = await connection.ReadResponseAsync();
            Assert.Equal(101, response.Status);
            Assert.False(response.Has("Sec-WebSocket-Extensions"));
        }
        // A deflated text, as a client sends it that believes in the extension.
        await AttackAsync(trial, "close-1002", ClientFrame.Of(0xC1, Convert.FromHexString("F248CDC9C90700")));
        await trial.ConcludeAsync();
    }

    /// <summary>Ends that nobody reads: the server must not wait for them.</summary>
    [Fact]
    public async Task Those_who_never_read_their_close_are_cut()
    {
        await using Trial trial = await Trial.StartAsync();
        ChannelClient[] deaf = await Task.WhenAll(Enumerable.Range(0, 200).Select(async _ =>
        {
            ChannelClient client = await trial.OpenAsync();
            await client.SendAsync(ClientFrame.Binary([1]));
            return client;
        }));
        // The invariant on descriptors, while the clients' ends are all open.
        await trial.ConcludeAsync();
        Assert.Equal(deaf.Length, trial.Statsd.EndedBy("binary_message"));
        foreach (ChannelClient client in deaf)
            await client.DisposeAsync();
    }

    private static Task AttackAsync(Trial trial, string golden, byte[] bytes) => Task.WhenAll(Enumerable.Range(0, Attackers).Select(async _ =>
    {
        await using ChannelClient client = await trial.OpenAsync();
        Task sending = client.SendAsync(bytes);
        Golden.AssertFrame(golden, await client.ReadFrameAsync());
        try
        {
            await sending;
        }
        catch (SocketException)
        {
            // What is sent behind the end may meet a closed socket.
        }
    }));
}
