using System.Text;
using static ChannelServer.Autobahn.Wire.ClientFrame;

namespace ChannelServer.Autobahn.Cases;

/// <summary>Section 6: text is UTF-8 (RFC 6455, 8.1), whatever the fragments; what cannot become UTF-8 any more fails at once.</summary>
internal static class Utf8Handling
{
    // The accent is the polytonic one, U+1F79, so that characters of two and of three octets take turns.
    private static readonly byte[] _kosme = AllCases.Utf8("κ\u1F79σμε");
    private static readonly byte[] _mixed = AllCases.Utf8("Größe µ@ßöäüàá, 日本 🦊");

    /// <summary>A code point beyond U+10FFFF: wrong from its second octet on.</summary>
    private static readonly byte[] _tooHigh = [0xF4, 0x90, 0x80, 0x80];

    public static IEnumerable<Case> Cases =>
    [
        new Case("6.1.1", Text("")).Answers(Received.Text([])),
        new Case("6.1.2", Fragments(TextOpcode, [], [], [])).Answers(Received.Text([])),
        new Case("6.1.3", Fragments(TextOpcode, [], _mixed, [])).Answers(Received.Text(_mixed)),
        new Case("6.2.1", Text(_mixed)).Answers(Received.Text(_mixed)),
        new Case("6.2.2", Fragments(TextOpcode, _mixed[..2], _mixed[2..])).Answers(Received.Text(_mixed)),
        new Case("6.2.3", ByOctets(_mixed)).Answers(Received.Text(_mixed)),
        new Case("6.2.4", ByOctets(_kosme)).Answers(Received.Text(_kosme)),
        new Case("6.3.1", Text([.. _kosme, 0xED, 0xA0, 0x80, .. "edited"u8])).Fails(1007),
        new Case("6.3.2", ByOctets([.. _kosme, 0xED, 0xA0, 0x80, .. "edited"u8])).Fails(1007),
        .. FailFast(),
        .. Sequences().SelectMany(InTwoWays),
    ];

    /// <summary>
    /// Section 6.4, as strict as the suite can be: the connection fails although the message, or even the frame, is not complete. What
    /// would complete it is never sent.
    /// </summary>
    private static IEnumerable<Case> FailFast()
    {
        byte[] whole = Text([.. _kosme, .. _tooHigh, .. "never sent"u8]);
        int header = whole.Length - _kosme.Length - _tooHigh.Length - "never sent"u8.Length;
        byte[] valid = whole[..(header + _kosme.Length)];
        byte[] start = Make(TextOpcode, _kosme, isFinal: false);
        yield return new Case("6.4.1", start, Make(Continuation, _tooHigh, isFinal: false)).InChops(Chops.Frames).Fails(1007);
        yield return new Case(
            "6.4.2", start, Make(Continuation, _tooHigh[..1], isFinal: false), Make(Continuation, _tooHigh[1..2], isFinal: false))
            .InChops(Chops.Frames).Fails(1007);
        yield return new Case("6.4.3", valid, whole[valid.Length..(valid.Length + 4)]).InChops(Chops.Frames).Fails(1007);
        yield return new Case("6.4.4", valid, whole[valid.Length..(valid.Length + 1)], whole[(valid.Length + 1)..(valid.Length + 2)])
            .InChops(Chops.Frames).Fails(1007);
    }

    private static IEnumerable<(string Number, bool IsValid, byte[] Octets)> Sequences() =>
    [
        .. Section("6.5", true, _kosme, _mixed, AllCases.Utf8("\0"), AllCases.Utf8("~"), AllCases.Utf8("€𐍈")),
        // A text that ends inside a character, at each place.
        .. Enumerable.Range(1, _kosme.Length).Select(length => ($"6.6.{length}", length is 2 or 5 or 7 or 9 or 11, _kosme[..length])),
        // First and last code points of each length; five and six octets have not been UTF-8 since RFC 3629.
        .. Section("6.7", true, [0x00], [0xC2, 0x80], [0xE0, 0xA0, 0x80], [0xF0, 0x90, 0x80, 0x80]),
        .. Section("6.8", false, [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80]),
        .. Section("6.9", true, [0x7F], [0xDF, 0xBF], [0xEF, 0xBF, 0xBF], [0xF4, 0x8F, 0xBF, 0xBF]),
        .. Section("6.10", false, [0xF7, 0xBF, 0xBF, 0xBF], [0xFB, 0xBF, 0xBF, 0xBF, 0xBF], [0xFD, 0xBF, 0xBF, 0xBF, 0xBF, 0xBF]),
        .. Section("6.11", true, [0xED, 0x9F, 0xBF], [0xEE, 0x80, 0x80], [0xEF, 0xBF, 0xBD], [0xF4, 0x8F, 0xBF, 0xBF]),
        ("6.11.5", false, _tooHigh),
        // Continuation octets that continue nothing: one kind, the other, two to six in turn, all there are.
        .. Section("6.12", false, [0x80], [0xBF], Alternating(2), Alternating(3), Alternating(4), Alternating(5), Alternating(6), Octets(0x80, 64)),
        // Every lead octet of each length, alone, before a blank.
        .. Section("6.13", false, Lonely(0xC0, 32), Lonely(0xE0, 16), Lonely(0xF0, 8), Lonely(0xF8, 4), Lonely(0xFC, 2)),
        .. Section("6.14", false, _cut),
        ("6.15.1", false, [.. _cut.SelectMany(octets => octets)]),
        .. Section("6.16", false, [0xFE], [0xFF], [0xFE, 0xFE, 0xFF, 0xFF]),
        // More octets than a code point needs: a slash, the highest of each length, and NUL.
        .. Section("6.17", false, [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xF0, 0x80, 0x80, 0xAF], [0xF8, 0x80, 0x80, 0x80, 0xAF], [0xFC, 0x80, 0x80, 0x80, 0x80, 0xAF]),
        .. Section("6.18", false, [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF], [0xF8, 0x87, 0xBF, 0xBF, 0xBF], [0xFC, 0x83, 0xBF, 0xBF, 0xBF, 0xBF]),
        .. Section("6.19", false, [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xF0, 0x80, 0x80, 0x80], [0xF8, 0x80, 0x80, 0x80, 0x80], [0xFC, 0x80, 0x80, 0x80, 0x80, 0x80]),
        .. Section("6.20", false, [.. _surrogates.Select(Surrogate)]),
        .. Section("6.21", false, [.. from high in (int[])[0xD800, 0xDB7F, 0xDB80, 0xDBFF] from low in (int[])[0xDC00, 0xDFFF] select (byte[])[.. Surrogate(high), .. Surrogate(low)]]),
        // Noncharacters are code points like any other, and so are the specials.
        .. Section("6.22", true, [.. Enumerable.Range(0, 17).SelectMany(plane => new[] { Rune((plane << 16) | 0xFFFE), Rune((plane << 16) | 0xFFFF) })]),
        .. Section("6.23", true, [.. Enumerable.Range(0xFFF9, 7).Select(Rune)]),
    ];

    /// <summary>Characters whose last octet is missing: the lowest and the highest of each length.</summary>
    private static readonly byte[][] _cut =
    [
        [0xC0], [0xE0, 0x80], [0xF0, 0x80, 0x80], [0xF8, 0x80, 0x80, 0x80], [0xFC, 0x80, 0x80, 0x80, 0x80],
        [0xDF], [0xEF, 0xBF], [0xF7, 0xBF, 0xBF], [0xFB, 0xBF, 0xBF, 0xBF], [0xFD, 0xBF, 0xBF, 0xBF, 0xBF],
    ];

    private static readonly int[] _surrogates = [0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF];

    /// <summary>In one frame, as the suite has it, and with a frame for each octet.</summary>
    private static IEnumerable<Case> InTwoWays((string Number, bool IsValid, byte[] Octets) sequence)
    {
        Case[] ways =
        [
            new Case(sequence.Number, Text(sequence.Octets)),
            new Case($"{sequence.Number} in fragments of an octet", ByOctets(sequence.Octets)),
        ];
        return ways.Select(way => sequence.IsValid ? way.Answers(Received.Text(sequence.Octets)) : way.Fails(1007));
    }

    private static IEnumerable<(string Number, bool IsValid, byte[] Octets)> Section(string section, bool isValid, params byte[][] sequences) =>
        sequences.Select((octets, index) => ($"{section}.{index + 1}", isValid, octets));

    private static byte[][] ByOctets(byte[] payload) => Fragments(TextOpcode, [.. payload.Select(octet => (byte[])[octet])]);

    private static byte[] Alternating(int count) => [.. Enumerable.Range(0, count).Select(index => (byte)(index % 2 == 0 ? 0x80 : 0xBF))];

    private static byte[] Octets(int first, int count) => [.. Enumerable.Range(first, count).Select(octet => (byte)octet)];

    private static byte[] Lonely(int first, int count) => [.. Octets(first, count).SelectMany(octet => (byte[])[octet, (byte)' '])];

    /// <summary>Three octets, as if a surrogate were a character.</summary>
    private static byte[] Surrogate(int code) => [(byte)(0xE0 | (code >> 12)), (byte)(0x80 | ((code >> 6) & 0x3F)), (byte)(0x80 | (code & 0x3F))];

    private static byte[] Rune(int code)
    {
        Span<byte> octets = stackalloc byte[4];
        return octets[..new Rune(code).EncodeToUtf8(octets)].ToArray();
    }
}
