using ChannelServer.Autobahn.Wire;

namespace ChannelServer.Autobahn.Cases;

/// <summary>Section 2: pings and pongs (RFC 6455, 5.5.2 and 5.5.3).</summary>
internal static class Pings
{
    private static readonly byte[] _text = AllCases.Utf8("Hello, world!");
    private static readonly byte[] _binary = [0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF];
    private static readonly byte[] _longest = AllCases.Filled(125, 0xFE);

    public static IEnumerable<Case> Cases =>
    [
        Answered("2.1", []),
        Answered("2.2", _text),
        Answered("2.3", _binary),
        Answered("2.4", _longest),
        new Case("2.5", ClientFrame.Ping(AllCases.Filled(126, 0xFE))).Fails(),
        Answered("2.6", _longest).InChops(Chops.Octets),
        new Case("2.7", ClientFrame.Pong()),
        new Case("2.8", ClientFrame.Pong(_text)),
        new Case("2.9", ClientFrame.Pong(_binary), ClientFrame.Ping(_text)).Answers(Received.Pong(_text)),
        Ten("2.10"),
        Ten("2.11").InChops(Chops.Octets),
    ];

    private static Case Answered(string number, byte[] payload) =>
        new Case(number, ClientFrame.Ping(payload)).Answers(Received.Pong(payload));

    private static Case Ten(string number)
    {
        byte[][] payloads = [.. Enumerable.Range(0, 10).Select(index => AllCases.Utf8($"payload {index}"))];
        return new Case(number, [.. payloads.Select(ClientFrame.Ping)]).Answers([.. payloads.Select(Received.Pong)]);
    }
}
