using ChannelServer.Autobahn.Cases;
using ChannelServer.Autobahn.Wire;

namespace ChannelServer.Autobahn;

/// <summary>The sizes of the suite's section 9, which measures. Here they only have to come back.</summary>
public sealed class LargeMessageTests(EchoServers servers)
{
    public static IEnumerable<TheoryDataRow<string>> Engines => EchoServers.Engines.Select(engine => new TheoryDataRow<string>(engine));

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Sixteen_mebibytes_come_back(string engine)
    {
        byte[] payload = Payload(16 * 1024 * 1024);
        await AssertEchoedAsync(engine, ClientFrame.Text(payload), Received.Text(payload));
        await AssertEchoedAsync(engine, ClientFrame.Binary(payload), Received.Binary(payload));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Four_mebibytes_in_fragments_of_64_octets_come_back(string engine)
    {
        byte[] payload = Payload(4 * 1024 * 1024);
        byte[][] frames = ClientFrame.Fragments(ClientFrame.TextOpcode, [.. payload.Chunk(64)]);
        await AssertEchoedAsync(engine, [.. frames.SelectMany(frame => frame)], Received.Text(payload));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task One_octet_more_than_the_limit_does_not(string engine)
    {
        using EchoClient client = await EchoClient.ConnectAsync(servers[engine]);
        // The header is enough.
        await client.SendAsync(ClientFrame.Text(AllCases.Filled((16 * 1024 * 1024) + 1, (byte)'*')).AsMemory(0, 20));
        Assert.Equal([0x03, 0xF1], (await client.ReadFrameAsync()).Payload[..2]);
        await client.ExpectEndAsync();
    }

    private async Task AssertEchoedAsync(string engine, byte[] octets, Received expected)
    {
        using EchoClient client = await EchoClient.ConnectAsync(servers[engine]);
        await client.SendAsync(octets);
        Received echoed = await client.ReadFrameAsync();
        Assert.Equal(expected.FirstOctet, echoed.FirstOctet);
        Assert.True(expected.Payload.AsSpan().SequenceEqual(echoed.Payload));
    }

    private static byte[] Payload(int octets)
    {
        byte[] payload = new byte[octets];
        for (int i = 0; i < octets; i++)
            payload[i] = (byte)('0' + (i % 61));
        return payload;
    }
}
