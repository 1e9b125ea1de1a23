using ChannelServer.Autobahn.Wire;

namespace ChannelServer.Autobahn.Cases;

/// <summary>Section 1: messages around the sizes where the length field changes its form (RFC 6455, 5.2).</summary>
internal static class Framing
{
    private static readonly int[] _sizes = [0, 125, 126, 127, 128, 65535, 65536];

    public static IEnumerable<Case> Cases
    {
        get
        {
            for (int i = 0; i < _sizes.Length; i++)
            {
                yield return Text($"1.1.{i + 1}", _sizes[i]);
                yield return Binary($"1.2.{i + 1}", _sizes[i]);
            }
            yield return Text("1.1.8", 65536) with { ChopSize = 997 };
            yield return Binary("1.2.8", 65536) with { ChopSize = 997 };
        }
    }

    private static Case Text(string number, int size)
    {
        byte[] payload = AllCases.Filled(size, (byte)'*');
        return new Case(number, ClientFrame.Text(payload)).Answers(Received.Text(payload));
    }

    private static Case Binary(string number, int size)
    {
        byte[] payload = AllCases.Filled(size, 0xFE);
        return new Case(number, ClientFrame.Binary(payload)).Answers(Received.Binary(payload));
    }
}
