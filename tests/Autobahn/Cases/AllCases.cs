using System.Text;
using ChannelServer.Autobahn.Wire;

namespace ChannelServer.Autobahn.Cases;

/// <summary>Every case, section by section.</summary>
internal static class AllCases
{
    public static IEnumerable<Case> InOrder =>
    [
        .. Framing.Cases, .. Pings.Cases, .. ReservedBits.Cases, .. ReservedOpcodes.Cases, .. Fragmentation.Cases, .. Utf8Handling.Cases,
        .. CloseHandling.Cases, .. Splitting.Cases,
    ];

    public static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>So many octets of one kind.</summary>
    public static byte[] Filled(int octets, byte octet)
    {
        byte[] filled = new byte[octets];
        filled.AsSpan().Fill(octet);
        return filled;
    }
}

/// <summary>Section 10.1: a message that a client has split by itself.</summary>
internal static class Splitting
{
    public static IEnumerable<Case> Cases
    {
        get
        {
            byte[] text = AllCases.Filled(65536, (byte)'*');
            yield return new Case("10.1.1", ClientFrame.Fragments(ClientFrame.TextOpcode, [.. text.Chunk(1300)])).Answers(Received.Text(text));
        }
    }
}
