using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>When a token is valid, and when it is spent.</summary>
public sealed class ResumeTokenTests(Servers servers)
{
    [Fact]
    public async Task Every_greeting_has_another()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        HashSet<string> tokens = [first.Token];
        ChannelClient client = first;
        for (int i = 0; i < 20; i++)
        {
            client = await ChannelClient.ResumeAsync(server, client);
            Assert.True(tokens.Add(client.Token));
            client.Connection.Reset();
        }
    }

    [Fact]
    public async Task The_one_before_is_valid_until_the_pong_behind_the_greeting()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.ResumeAsync(server, pair.Second);
        await using ChannelClient third = await ChannelClient.ResumeAsync(server, pair.Second);
        await second.ExpectCloseAsync("close-4401");
        // It was never known to have arrived, so it is offered again.
        Assert.Equal(second.Token, third.Token);

        await third.ExpectNumberAsync(0);
        await third.AcknowledgeAsync(0);
        await third.ExpectNothingAsync();
        await ChannelClient.ExpectNoResumeAsync(server, pair.Second);
        await using ChannelClient fourth = await ChannelClient.ResumeAsync(server, third);
        await Pair.ExpectRelayAsync(pair.First, fourth);
    }

    [Fact]
    public async Task The_one_before_is_spent_by_the_use_of_the_latest()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.ResumeAsync(server, pair.Second);
        await using ChannelClient third = await ChannelClient.ResumeAsync(server, second);
        await ChannelClient.ExpectNoResumeAsync(server, pair.Second);
        await Pair.ExpectRelayAsync(pair.First, third);
    }

    [Fact]
    public async Task A_heartbeat_does_not_spend_it()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.ResumeAsync(server, pair.Second);
        await second.SendAsync(ClientFrame.Pong([]), ClientFrame.Pong("x"u8), ClientFrame.Ping("alive"u8));
        await second.ExpectNumberAsync(0);
        Assert.Equal(Frame.Pong, (await second.ReadPastHeartbeatsAsync()).FirstOctet);
        await using ChannelClient third = await ChannelClient.ResumeAsync(server, pair.Second);
        Assert.Equal(second.Token, third.Token);
    }

    [Fact]
    public async Task A_greeting_may_be_lost_at_every_octet_again_and_again()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Pair pair = await Pair.OpenAsync(server);
        await pair.First.SendTextAsync("kept all the time");
        await pair.Second.ExpectNumberedAsync(1, "kept all the time");
        byte[] upgrade = new UpgradeRequest(ChannelClient.ResumeTarget(pair.Second.ChannelId, pair.Second.Token)).ToBytes();

        // The response's head, the greeting, the ping.
        int length = 129 + Golden.Octets("greeting-resumed").Length + 3;
        for (int octets = 0; octets < length; octets++)
        {
            await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
            await connection.SendAsync(upgrade);
            await connection.ReadExactlyAsync(octets);
            connection.Reset();
        }

        await using ChannelClient back = await ChannelClient.ResumeAsync(server, pair.Second);
        await back.ExpectNumberAsync(0);
        await back.ExpectNumberedAsync(1, "kept all the time");
        await back.AcknowledgeAsync(1);
        await back.ExpectNothingAsync();
        await ChannelClient.ExpectNoResumeAsync(server, pair.Second);
        await Pair.ExpectRelayAsync(back, pair.First);
    }

    [Fact]
    public async Task Of_two_who_race_for_a_seat_one_holds_it_and_the_other_is_told()
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=0");
        for (int round = 0; round < 100; round++)
        {
            await using Pair pair = await Pair.OpenAsync(server);
            if (round % 2 == 0)
                pair.Second.Connection.Reset();
            string target = ChannelClient.ResumeTarget(pair.Second.ChannelId, pair.Second.Token);
            ChannelClient[] rivals = await Task.WhenAll(
                ChannelClient.UpgradeAsync(server, target), ChannelClient.UpgradeAsync(server, target));
            await pair.First.SendTextAsync($"{round}");
            bool[] holds = await Task.WhenAll(rivals.Select(rival => HoldsAsync(rival, $"{round}")));
            Assert.True(holds[0] ^ holds[1], $"Round {round}: {holds[0]}, {holds[1]}.");

            ChannelClient holder = rivals[holds[0] ? 0 : 1];
            await holder.SendTextAsync("mine");
            await pair.First.ExpectMessagesAsync("mine");
            foreach (ChannelClient rival in rivals)
                await rival.DisposeAsync();
        }
    }

    /// <summary>Whether it gets the message, as the one who holds the seat; else it must have been told that it does not.</summary>
    private static async Task<bool> HoldsAsync(ChannelClient rival, string message)
    {
        await rival.ReadGreetingAsync();
        Frame frame = await rival.ReadFrameAsync();
        if (frame.FirstOctet == Frame.Text)
        {
            Assert.Contains($"\"message\":\"{message}\"", frame.PayloadText, StringComparison.Ordinal);
            return true;
        }
        Golden.AssertFrame("close-4401", frame);
        await rival.Connection.ExpectEndAsync();
        return false;
    }
}
