using System.Net;
using System.Net.Sockets;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Frames with random faults, from seeds: whatever they are, only their connection ends, and it ends in an orderly way.</summary>
public sealed class MutatedFrameTests
{
    private const int FramesPerConnection = 50;
    private const int Batches = 5;
    private const int Senders = 8;

    private static readonly int[] _codes = [1000, 1002, 1003, 1007, 1008, 1009];

    [Fact]
    public async Task Mutated_frames_end_their_own_connection_in_an_orderly_way()
    {
        int frames = Effort.Of(100_000, 1_000_000);
        int connections = frames / FramesPerConnection / Batches / Senders;
        await using Trial trial = await Trial.StartAsync();
        for (int batch = 0; batch < Batches; batch++)
        {
            int first = batch * connections * Senders;
            await Task.WhenAll(Enumerable.Range(0, Senders).Select(async sender =>
            {
                for (int i = 0; i < connections; i++)
                    await SendAsync(trial, first + (sender * connections) + i);
            }));
            await trial.ExpectRestAsync();
        }
        Latencies latencies = await trial.ConcludeAsync();
        Figures.Add($"{frames:N0} mutated frames on {connections * Senders * Batches:N0} connections", $"canary {latencies}");
    }

    private static async Task SendAsync(Trial trial, int seed)
    {
        Random random = new(seed);
        byte[] bytes = [.. Enumerable.Range(0, FramesPerConnection).SelectMany(_ => Mutate(random))];
        // Addresses of the loopback network, so that no port is wanted twice in a minute.
        ChannelClient client = await trial.UpgradeAsync("/v1/ws/", new IPAddress([127, 0, 1, (byte)(1 + (seed % 200))]));
        try
        {
            await client.SendAsync(bytes);
            client.Connection.HalfClose();
            await ReadToEndAsync(client.Connection, seed);
        }
        catch (SocketException)
        {
            // The server closed first, and the rest of the frames met a closed socket.
        }
        client.Connection.Reset();
    }

    private static async Task ReadToEndAsync(RawConnection connection, int seed)
    {
        try
        {
            while (true)
            {
                if (await connection.TryReadFrameAsync() is not { } frame)
                    return;
                if (frame.FirstOctet != Frame.Close)
                    continue;
                int code = (frame.Payload[0] << 8) | frame.Payload[1];
                // A close frame among the mutated has any code, and is echoed.
                Assert.True(_codes.Contains(code) || code >= 3000 || code is > 1000 and < 1015, $"Seed {seed}: {frame}");
            }
        }
        catch (IOException)
        {
            // As above.
        }
    }

    /// <summary>A frame that is right nine times of ten, so that the ones behind it are looked at.</summary>
    private static byte[] Mutate(Random random)
    {
        byte[] payload = new byte[random.Next(4) switch { 0 => 0, 1 => random.Next(126), 2 => 125 + random.Next(4), _ => random.Next(600) }];
        for (int i = 0; i < payload.Length; i++)
            payload[i] = (byte)random.Next(0x20, 0x7F);
        byte[] frame = random.Next(5) switch
        {
            0 => ClientFrame.Ping(payload.AsSpan(0, Math.Min(payload.Length, 125))),
            1 => ClientFrame.Pong(payload.AsSpan(0, Math.Min(payload.Length, 125))),
            2 => [.. ClientFrame.Of(ClientFrame.TextOpcode, payload), .. ClientFrame.Of(ClientFrame.Fin | ClientFrame.Continuation, payload)],
            _ => ClientFrame.Text(payload),
        };
        if (random.Next(10) > 0)
            return frame;
        int at = random.Next(Math.Min(frame.Length, random.Next(2) == 0 ? 14 : frame.Length));
        switch (random.Next(6))
        {
            case 0:
                frame[at] ^= (byte)(1 << random.Next(8));
                return frame;
            case 1:
                frame[at] = (byte)random.Next(256);
                return frame;
            case 2:
                return frame[..at];
            case 3:
                return [.. frame, .. frame.AsSpan(at)];
            case 4:
                random.NextBytes(frame.AsSpan(0, Math.Min(frame.Length, 14)));
                return frame;
            default:
                frame[1] = (byte)random.Next(256);
                return frame;
        }
    }
}
