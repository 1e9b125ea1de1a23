using static ChannelServer.Autobahn.Wire.ClientFrame;

namespace ChannelServer.Autobahn.Cases;

/// <summary>Section 5: messages in fragments, and control frames between them (RFC 6455, 5.4 and 5.5).</summary>
internal static class Fragmentation
{
    private static readonly byte[] _one = AllCases.Utf8("fragment1");
    private static readonly byte[] _two = AllCases.Utf8("fragment2");
    private static readonly byte[] _payload = AllCases.Utf8("ping payload");
    private static readonly byte[] _lone = AllCases.Utf8("nothing to continue");
    private static readonly byte[][] _message = Fragments(TextOpcode, _one, _two);
    private static readonly Received _echo = Received.Text([.. _one, .. _two]);

    public static IEnumerable<Case> Cases =>
    [
        new Case("5.1", Fragments(PingOpcode, _one, _two)).Fails(),
        new Case("5.2", Fragments(PongOpcode, _one, _two)).Fails(),
        .. InThreeWays(3, new Case("", _message).Answers(_echo)),
        .. InThreeWays(6, new Case("", _message[0], Ping(_payload), _message[1]).Answers(Received.Pong(_payload), _echo)),
        .. InThreeWays(9, new Case("", Make(Continuation, _lone), Text("Hello, world!")).Fails()),
        .. InThreeWays(12, new Case("", Make(Continuation, _lone, isFinal: false), Text("Hello, world!")).Fails()),
        new Case("5.15", [.. _message, Make(Continuation, _lone, isFinal: false), Text("Hello, world!")]).Answers(_echo).Fails(),
        LoneThenMessageTwice("5.16", isFinal: false),
        LoneThenMessageTwice("5.17", isFinal: true),
        new Case("5.18", _message[0], Text(_two)).Fails(),
        PingsInBetween("5.19"),
        PingsInBetween("5.20").InChops(Chops.Octets),
    ];

    private static IEnumerable<Case> InThreeWays(int number, Case one)
    {
        yield return one with { Number = $"5.{number}" };
        yield return one with { Number = $"5.{number + 1}", Chops = Chops.Frames };
        yield return one with { Number = $"5.{number + 2}", Chops = Chops.Octets };
    }

    private static Case LoneThenMessageTwice(string number, bool isFinal)
    {
        byte[][] once = [Make(Continuation, _lone, isFinal), .. _message];
        return new Case(number, [.. once, .. once]).Fails();
    }

    private static Case PingsInBetween(string number)
    {
        byte[][] parts = [.. Enumerable.Range(1, 5).Select(index => AllCases.Utf8($"fragment{index}"))];
        byte[][] frames = Fragments(TextOpcode, parts);
        byte[] first = AllCases.Utf8("pongme 1!");
        byte[] second = AllCases.Utf8("pongme 2!");
        return new Case(number, frames[0], frames[1], Ping(first), frames[2], frames[3], Ping(second), frames[4])
            .Answers(Received.Pong(first), Received.Pong(second), Received.Text([.. parts.SelectMany(part => part)]));
    }
}
