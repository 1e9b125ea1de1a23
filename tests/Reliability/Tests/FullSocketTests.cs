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
        List<string> tried = [];
        for (int round = 0; pieces.Count < Counted; round++)
        {
            Assert.True(round < 6 * Counted, $"No socket was full enough: {string.Join(", ", tried)}. {trial.Statsd}");
            await using Party party = await Party.GatherAsync(trial, network, receiveBuffer: 64 * 1024);
            int fill = await FillAsync(trial, network, party);
            // A little more than the kernels take, so that the rest leaves at once: what waits in the kernel is joined to what waits already.
            for (int more = 0; more < 2; more++, fill++)
                await party.SayAsync(_small);
            using PacketLog packets = new(network, trial.Server.Address.Port);
            int drained;
            await trial.Process.PauseAsync();
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
            int left = fill - drained;
            bool counts = left is > 0 and <= MostLeft && await ArrivesAsync(party.Slow, ping);
            tried.Add(string.Create(CultureInfo.InvariantCulture, $"{fill} sent, {drained} taken{(left is > 0 and <= MostLeft && !counts ? ", ended" : "")}"));
            if (counts)
                pieces.Add(await packets.LastAsync(ping) - ping.Length);
            await party.Reader.DisposeAsync();
        }
        await trial.ConcludeAsync();
        // Who tries the full socket just then spoils the order, and a packet may end before the ping by chance; not most times.
        Assert.True(pieces.Count(before => before > 0) > Counted / 2, $"Octets in one packet with the ping, before it: {string.Join(", ", pieces)}.");
    }

    /// <summary>Says something until the kernels take no more of it for the one who does not read. How much they take differs each time.</summary>
    /// <returns>How often.</returns>
    private static async Task<int> FillAsync(Trial trial, NetworkPair network, Party party)
    {
        const int Most = 500;
        await party.SayAsync(_small);
        await Effort.UntilAsync(() => Waiting() == 0 && party.Slow.Connection.Unread > _small.Length, RawConnection.Patience, () => $"{Waiting()} octets do not arrive.");
        int each = party.Slow.Connection.Unread;
        int written = each;
        int fill = 1;
        do
        {
            Assert.True(fill < Most, $"The kernels took {written} octets.");
            await party.SayAsync(_small);
            fill++;
            // The number in the ping has more digits.
            written += each + (fill >= 10 ? 1 : 0) + (fill >= 100 ? 1 : 0);
        }
        while (await IsTakenAsync());
        return fill;

        async Task<bool> IsTakenAsync()
        {
            for (int look = 0; look < 5; look++)
            {
                // What is acknowledged between the two counts in both, and nothing in neither.
                if (Waiting() + party.Slow.Connection.Unread >= written)
                    return true;
                await Task.Delay(20, TestContext.Current.CancellationToken);
            }
            return false;
        }

        long Waiting() => ProcessStatus.SendQueue(trial.Process.Id, network.ClientAddress);
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
                envelopes += (await client.Connection.ReadFrameAsync(TimeSpan.FromMilliseconds(200))).FirstOctet == Frame.Text ? 1 : 0;
        }
        catch (TimeoutException)
        {
            return envelopes;
        }
    }
}
