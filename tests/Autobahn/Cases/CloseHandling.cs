using System.Globalization;
using static ChannelServer.Autobahn.Wire.ClientFrame;

namespace ChannelServer.Autobahn.Cases;

/// <summary>Section 7: the closing handshake and its codes (RFC 6455, 5.5.1, 7.1 and 7.4).</summary>
internal static class CloseHandling
{
    private static readonly int[] _validCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
    private static readonly int[] _invalidCodes = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999];

    // Registered after the suite was written, and one that is reserved but which the suite leaves out.
    private static readonly int[] _laterCodes = [1012, 1013, 1014];
    private static readonly int[] _otherInvalidCodes = [1015, 5000, 65535];

    private static readonly byte[] _text = AllCases.Utf8("Hello, world!");

    public static IEnumerable<Case> Cases =>
    [
        new Case("7.1.1", Text(_text), Close(1000)).Answers(Received.Text(_text)).Closes(1000),
        new Case("7.1.2", Close(1000), Close(1000)).Closes(1000),
        new Case("7.1.3", Close(1000), Ping(_text)).Closes(1000),
        new Case("7.1.4", Close(1000), Text(_text)).Closes(1000),
        new Case("7.1.5", Make(TextOpcode, _text, isFinal: false), Close(1000), Make(Continuation, _text)).Closes(1000),
        LargeMessageFirst("7.1.6"),
        new Case("7.3.1", CloseWith()).Closes(1000),
        new Case("7.3.2", CloseWith(0x03)).Fails(),
        new Case("7.3.3", Close(1000)).Closes(1000),
        new Case("7.3.4", Close(1000, _text)).Closes(1000),
        new Case("7.3.5", Close(1000, AllCases.Filled(123, (byte)'*'))).Closes(1000),
        new Case("7.3.6", Close(1000, AllCases.Filled(124, (byte)'*'))).Fails(),
        new Case("7.5.1", Close(1000, [.. AllCases.Utf8("κόσμε"), 0xED, 0xA0, 0x80, .. "edited"u8])).Fails(1007),
        .. _validCodes.SelectMany((code, index) => Valid($"7.7.{index + 1}", code)),
        .. _laterCodes.SelectMany(code => Valid(string.Create(CultureInfo.InvariantCulture, $"7.7, {code}"), code)),
        .. _invalidCodes.SelectMany((code, index) => Invalid($"7.9.{index + 1}", code)),
        .. _otherInvalidCodes.SelectMany(code => Invalid(string.Create(CultureInfo.InvariantCulture, $"7.13, {code}"), code)),
    ];

    private static IEnumerable<Case> Valid(string number, int code) =>
    [
        new Case(number, Close(code)).Closes(code),
        new Case($"{number} with a reason, octet by octet", Close(code, _text)).InChops(Chops.Octets).Closes(code),
    ];

    private static IEnumerable<Case> Invalid(string number, int code) =>
    [
        new Case(number, Close(code)).Fails(),
        new Case($"{number} with a reason, octet by octet", Close(code, _text)).InChops(Chops.Octets).Fails(),
    ];

    private static Case LargeMessageFirst(string number)
    {
        byte[] text = AllCases.Filled(256 * 1024, (byte)'*');
        return new Case(number, Text(text), Close(1000), Ping()).Answers(Received.Text(text)).Closes(1000);
    }
}
