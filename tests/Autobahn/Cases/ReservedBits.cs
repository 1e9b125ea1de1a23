using ChannelServer.Autobahn.Wire;

namespace ChannelServer.Autobahn.Cases;

/// <summary>Section 3: reserved bits without an extension (RFC 6455, 5.2). What came before is answered, what comes after is not.</summary>
internal static class ReservedBits
{
    private static readonly byte[] _text = AllCases.Utf8("Hello, world!");
    private static readonly byte[] _first = ClientFrame.Text(_text);
    private static readonly byte[] _ping = ClientFrame.Ping();

    public static IEnumerable<Case> Cases =>
    [
        new Case("3.1", With(1, ClientFrame.TextOpcode)).Fails(),
        new Case("3.2", _first, With(2, ClientFrame.TextOpcode), _ping).Answers(Received.Text(_text)).Fails(),
        new Case("3.3", _first, With(3, ClientFrame.TextOpcode), _ping).InChops(Chops.Frames).Answers(Received.Text(_text)).Fails(),
        new Case("3.4", _first, With(4, ClientFrame.TextOpcode), _ping).InChops(Chops.Octets).Answers(Received.Text(_text)).Fails(),
        new Case("3.5", With(5, ClientFrame.BinaryOpcode)).Fails(),
        new Case("3.6", With(6, ClientFrame.PingOpcode)).Fails(),
        new Case("3.7", With(7, ClientFrame.CloseOpcode)).Fails(),
    ];

    private static byte[] With(int reserved, int opcode)
    {
        byte[] payload = opcode == ClientFrame.CloseOpcode ? [0x03, 0xE8] : _text;
        return ClientFrame.Make(opcode, payload, reserved: reserved);
    }
}
