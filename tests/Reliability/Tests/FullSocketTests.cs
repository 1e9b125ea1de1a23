using System.Globalization;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>What an engine does for a socket that has not taken all that was to be written.</summary>
public sealed class FullSocketTests
{
    /// <summary>A message of which the kernels take dozens.</summary>
    private static readonly string _small = new('s', 3_000);

    /// <summary>
    /// In one turn a server finds a message for somebody, and room in the full socket of the same. Both happen while it is stopped, so that the order is certain.
    /// What it writes then must end with the ping that asks for the message, as one piece: here, as one packet.
    /// </summary>
    [Fact]
    public async Task What_is_written_when_there_is_room_again_ends_with_its_ping()
    {
        const int Counted = 5;
        const int MostLeft = 8;
        using NetworkPair network = NetworkPair.Create();
        await using Trial trial = await Party.HostAsync(network);
        List<int> pieces = [];
        int fill = 64;
        for (int round = 0; pieces.Count < Counted; round++)
        {
            Assert.True(round < 6 * Counted, $"No socket was full enough. {trial.Statsd}");
            await using Party party = await Party.GatherAsync(trial, network, receiveBuffer: 64 * 1024);
            for (int i = 0; i < fill; i++)
                await party.SayAsync(_small);
            using PacketLog packets = new(network, trial.Server.Address.Port);
            int drained;
            trial.Process.Pause();
            try
            {
                // Its length differs each time: a piece may happen to be cut into packets just before the ping.
                await party.Sender.SendTextAsync(new string('z', 10 + (100 * round)));
                drained = await DrainAsync(party.Slow);
            }
            finally
            {
                trial.Process.Continue();
            }
            byte[] digits = Encoding.ASCII.GetBytes((fill + 1).ToString(CultureInfo.InvariantCulture));
            byte[] ping = [Frame.Ping, (byte)digits.Length, .. digits];
            // A little more than the kernels take, so that the rest leaves at once: what waits in the kernel is joined to what waits already.
            int left = fill - drained;
            bool counts = left is > 0 and <= MostLeft && await ArrivesAsync(party.Slow, ping);
            fill = drained + (MostLeft / 2);
            if (counts)
                pieces.Add(await packets.LastAsync(ping) - ping.Length);
            await party.Reader.DisposeAsync();
        }
        await trial.ConcludeAsync();
        // Who tries the full socket just then spoils the order, and a packet may end before the ping by chance; not most times.
        Assert.True(pieces.Count(before => before > 0) > Counted / 2, $"Octets in one packet with the ping, before it: {string.Join(", ", pieces)}.");
    }

    /// <summary>Whether the frame comes; false when the server ends the client, which may happen to a machine that is late by seconds.</summary>
    private static async Task<bool> ArrivesAsync(ChannelClient client, byte[] raw)
    {
        while (true)
        {
            Frame frame = await client.Connection.ReadFrameAsync();
            if (frame.FirstOctet == Frame.Close || frame.Raw.SequenceEqual(raw))
                return frame.FirstOctet != Frame.Close;
        }
    }

    /// <summary>Reads what the kernels have; the server's has room then.</summary>
    /// <returns>Envelopes.</returns>
    private static async Task<int> DrainAsync(ChannelClient client)
    {
        int envelopes = 0;
        try
        {
            while (true)
                envelopes += (await client.Connection.ReadFrameAsync(TimeSpan.FromMilliseconds(100))).FirstOctet == Frame.Text ? 1 : 0;
        }
        catch (TimeoutException)
        {
            return envelopes;
        }
    }
}
