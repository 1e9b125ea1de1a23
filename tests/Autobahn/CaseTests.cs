using System.Buffers.Binary;
using ChannelServer.Autobahn.Cases;
using ChannelServer.Autobahn.Wire;

namespace ChannelServer.Autobahn;

public sealed class CaseTests(EchoServers servers)
{
    private static readonly Dictionary<string, Case> _cases = AllCases.InOrder.ToDictionary(one => one.Number);

    public static IEnumerable<TheoryDataRow<string, string>> Numbers =>
        from engine in EchoServers.Engines from number in _cases.Keys select new TheoryDataRow<string, string>(engine, number);

    [Theory]
    [MemberData(nameof(Numbers))]
    public async Task Case(string engine, string number)
    {
        Case one = _cases[number];
        using EchoClient client = await EchoClient.ConnectAsync(servers[engine]);
        foreach (byte[] write in one.Writes())
            await client.SendAsync(write);
        foreach (Received expected in one.Expected)
            AssertSame(expected, await client.ReadFrameAsync());
        // Nothing may come between what has come and the close frame.
        if (one.Ending == Ending.None)
            await client.SendAsync(ClientFrame.Close(1000));
        AssertClose(one.Ending == Ending.None ? 1000 : one.Code, await client.ReadFrameAsync());
        await client.ExpectEndAsync();
    }

    [Fact]
    public void Every_number_is_there_once()
    {
        string[] sections = [.. _cases.Keys.Select(number => number.Split('.')[0]).Distinct()];
        Assert.Equal(["1", "2", "3", "4", "5", "6", "7", "10"], sections);
        Assert.Equal(AllCases.InOrder.Count(), _cases.Count);
    }

    private static void AssertSame(Received expected, Received frame) => Assert.True(
        expected.FirstOctet == frame.FirstOctet && expected.Payload.AsSpan().SequenceEqual(frame.Payload), $"Expected {expected}; got {frame}");

    private static void AssertClose(int code, Received frame)
    {
        Assert.True(frame.FirstOctet == 0x88 && frame.Payload.Length >= 2, $"Expected a close frame with {code}; got {frame}");
        Assert.Equal(code, BinaryPrimitives.ReadUInt16BigEndian(frame.Payload));
    }
}
