using ChannelServer.Autobahn.Wire;

namespace ChannelServer.Autobahn.Cases;

/// <summary>Section 4: opcodes that mean nothing yet (RFC 6455, 5.2), of data frames (4.1) and of control frames (4.2).</summary>
internal static class ReservedOpcodes
{
    private static readonly byte[] _text = AllCases.Utf8("Hello, world!");

    public static IEnumerable<Case> Cases => [.. Five("4.1", 3), .. Five("4.2", 11)];

    private static IEnumerable<Case> Five(string section, int opcode)
    {
        yield return new Case($"{section}.1", ClientFrame.Make(opcode, [])).Fails();
        yield return new Case($"{section}.2", ClientFrame.Make(opcode + 1, _text)).Fails();
        yield return AfterText($"{section}.3", opcode + 2, []);
        yield return AfterText($"{section}.4", opcode + 3, _text);
        yield return AfterText($"{section}.5", opcode + 4, _text).InChops(Chops.Octets);
    }

    private static Case AfterText(string number, int opcode, byte[] payload) =>
        new Case(number, ClientFrame.Text(_text), ClientFrame.Make(opcode, payload), ClientFrame.Ping()).Answers(Received.Text(_text)).Fails();
}
