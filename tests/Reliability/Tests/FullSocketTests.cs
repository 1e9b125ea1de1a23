using System.Diagnostics;
using System.Globalization;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>What an engine does for a socket that has not taken all that was to be written.</summary>
public sealed class FullSocketTests
{
    private const int Messages = 3;
    private const int Length = 30_000;

    /// <summary>
    /// The kernel reports room in a socket when a third of its buffer is free, which takes longer here than a write may be stuck. The Kestrel engine
    /// sees no progress between two such reports, so there this is beyond what is promised.
    /// </summary>
    [Fact]
    public async Task A_link_is_not_stuck_before_the_kernel_reports_room()
    {
        Effort.Require(Effort.Engine != "kestrel", "seeing progress on so slow a link with Kestrel");
        using NetworkPair network = NetworkPair.Create();
        await using Trial trial = await Party.HostAsync(network);
        await using Party party = await Party.GatherAsync(trial, network);
        network.Slow("24kbit");
        Stopwatch waited = Stopwatch.StartNew();
        for (int i = 0; i < Messages; i++)
            await party.SayAsync(Text(i));
        for (int i = 0; i < Messages; i++)
            Assert.Equal(Text(i), await party.ReadSlowlyAsync(party.Slow));
        TimeSpan took = waited.Elapsed;
        await party.LeaveAsync();
        await trial.ConcludeAsync();
        Party.AssertAllLeft(trial);
        Figures.Add($"{Messages} messages of 30 kB down a link of 24 kbit/s", $"all arrived, in {took.TotalSeconds:0.0} s");
    }

    /// <summary>
    /// In one turn a server finds a message for somebody, and room in the full socket of the same. Both happen while it is stopped, so that the order is certain.
    /// What it writes then must end with the ping that asks for the message, as one piece: here, as one packet.
    /// </summary>
    [Fact]
    public async Task What_is_written_when_there_is_room_again_ends_with_its_ping()
    {
        const int Rounds = 8;
        using NetworkPair network = NetworkPair.Create();
        await using Trial trial = await Party.HostAsync(network);
        int together = 0;
        // A machine that is late by seconds has the reader ended, and whoever tries the full socket just then spoils the order. A ping by itself is one each time.
        for (int i = 0; i < Rounds && together == 0; i++)
        {
            await using Party party = await Party.GatherAsync(trial, network);
            if (await LeavesAsOneAsync(trial, network, party))
                together++;
            await party.Sender.LeaveAsync();
            await party.Reader.LeaveAsync();
        }
        await trial.ConcludeAsync();
        Assert.True(together > 0, "The ping came in a packet of its own each time.");
    }

    private static async Task<bool> LeavesAsOneAsync(Trial trial, NetworkPair network, Party party)
    {
        const int Fill = 7;
        for (int i = 0; i < Fill; i++)
            await party.SayAsync(Text(i));
        using PacketLog packets = new(network, trial.Server.Address.Port);
        trial.Process.Pause();
        try
        {
            await party.Sender.SendTextAsync("the last");
            await DrainAsync(party.Slow);
        }
        finally
        {
            trial.Process.Continue();
        }
        byte[] ping = [Frame.Ping, 1, .. Encoding.ASCII.GetBytes((Fill + 1).ToString(CultureInfo.InvariantCulture))];
        await party.Reader.ExpectMessagesAsync("the last");
        Frame frame;
        do
            frame = await party.Slow.Connection.ReadFrameAsync();
        while (!frame.Raw.SequenceEqual(ping) && frame.FirstOctet != Frame.Close);
        return frame.FirstOctet != Frame.Close && await packets.LastAsync(ping) > ping.Length;
    }

    /// <summary>Reads what the kernels have; the server's has room then.</summary>
    private static async Task DrainAsync(ChannelClient client)
    {
        int frames = 0;
        try
        {
            while (true)
            {
                _ = await client.Connection.ReadFrameAsync(TimeSpan.FromMilliseconds(100));
                frames++;
            }
        }
        catch (TimeoutException)
        {
            Assert.True(frames > 0, "Nothing had come.");
        }
    }

    private static string Text(int number) => $"{number} {new string((char)('a' + number), Length)}";
}
