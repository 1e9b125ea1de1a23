using System.Net;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Limits are exact, however many reach for them at once.</summary>
public sealed class RaceTests
{
    [Fact]
    public async Task Of_parallel_joins_exactly_the_allowed_number_gets_in()
    {
        const int Joins = 200;
        int rounds = Effort.Of(15, 1000);
        await using Trial trial = await Trial.StartAsync("--shards=4");
        for (int round = 0; round < rounds; round++)
        {
            IPAddress from = new([127, 0, 3, (byte)(1 + (round % 250))]);
            ChannelClient first = await trial.OpenAsync(from);
            RawConnection[] connections = await Task.WhenAll(Enumerable.Range(0, Joins).Select(_ => trial.ConnectAsync(from)));
            byte[] request = new UpgradeRequest($"/v1/ws/{first.ChannelId}").ToBytes();
            await Task.WhenAll(connections.Select(connection => connection.SendAsync(request)));
            string[] answers = await Task.WhenAll(connections.Select(ReadAnswerAsync));
            Assert.Equal(2, answers.Count(answer => answer == "in"));
            Assert.Equal(Joins - 2, answers.Count(answer => answer == "4409"));
            foreach (RawConnection connection in connections)
                connection.Reset();
            first.Connection.Reset();
        }
        await trial.ConcludeAsync();
        Figures.Add($"200 parallel joins, {rounds:N0} rounds, 4 shards", $"exactly 2 joined in each");
    }

    [Fact]
    public async Task Of_senders_at_once_exactly_ten_messages_get_through_and_all_see_the_same()
    {
        const int Senders = 8;
        int rounds = Effort.Of(20, 1000);
        // A canary that stayed would use up its channel.
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Settings = ["--max_channel_connections=9", "--max_exchanges=10"],
            CanaryMessages = 8,
        });
        for (int round = 0; round < rounds; round++)
        {
            ChannelClient listener = await trial.OpenAsync();
            ChannelClient[] senders = await Task.WhenAll(Enumerable.Range(0, Senders).Select(_ => trial.JoinAsync(listener.ChannelId)));
            await Task.WhenAll(senders.Select((sender, i) => sender.SendTextAsync([.. Enumerable.Range(0, 5).Select(n => $"{i}.{n}")])));
            // All at once: who is read long behind the end answers pings into a closed socket.
            Task<List<string>[]> hearing = Task.WhenAll(senders.Select(ReadAllAsync));
            List<string> all = await ReadAllAsync(listener);
            List<string>[] heard = await hearing;
            Assert.Equal(10, all.Count);
            for (int i = 0; i < Senders; i++)
                Assert.Equal(all.Where(text => text[0] != '0' + i), heard[i]);
            foreach (ChannelClient client in senders.Append(listener))
                client.Connection.Reset();
        }
        await trial.ConcludeAsync();
        Figures.Add($"8 senders at max_exchanges 10, {rounds:N0} rounds", $"10 messages, the same for all 9");
    }

    private static async Task<string> ReadAnswerAsync(RawConnection connection)
    {
        Assert.Equal(101, (await connection.ReadResponseAsync()).Status);
        Frame frame = await connection.ReadFrameAsync();
        return frame.FirstOctet == Frame.Text ? "in" : $"{(frame.Payload[0] << 8) | frame.Payload[1]}";
    }

    /// <summary>The messages up to the close frame of the exchange limit.</summary>
    private static async Task<List<string>> ReadAllAsync(ChannelClient client)
    {
        List<string> texts = [];
        while (true)
        {
            Frame frame = await client.ReadFrameAsync();
            if (frame.FirstOctet != Frame.Text)
            {
                Golden.AssertFrame("close-4429", frame);
                return texts;
            }
            using System.Text.Json.JsonDocument json = System.Text.Json.JsonDocument.Parse(frame.PayloadText);
            texts.Add(json.RootElement.GetProperty("message").GetString()!);
        }
    }
}
