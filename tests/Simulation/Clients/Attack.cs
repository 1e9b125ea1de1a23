using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>What a hostile client tries.</summary>
internal enum Attack : byte
{
    RandomBytes,
    MutatedFrames,
    PingFlood,
    PongFlood,
    FalsePongs,
    TinyFragments,
    Oversize,
    HugeLength,
    Binary,
    InvalidUtf8,
    BadClose,
    BadHeader,
    WrongOrder,
    LongLength,
}

/// <summary>Writes what hostile clients send.</summary>
internal static class Attacks
{
    /// <summary>Appends one portion of an attack.</summary>
    public static void Append(ByteQueue to, Attack attack, Limits limits, Prng chance)
    {
        switch (attack)
        {
            case Attack.RandomBytes:
                to.Append(Noise(chance.Between(1, 300), chance));
                return;
            case Attack.MutatedFrames:
                Mutated(to, limits, chance);
                return;
            case Attack.PingFlood or Attack.PongFlood:
                for (int i = chance.Between(1, 400); i > 0; i--)
                    ClientFrames.Frame(to, attack == Attack.PingFlood ? 0x89 : 0x8A, Noise(chance.Pick(0, 0, 0, 4, 125), chance), chance);
                return;
            case Attack.FalsePongs:
                // Numbers that were sent, or will be, or never; and what is no number.
                byte[] number = Encoding.ASCII.GetBytes(chance.Pick("0", "1", "2", "9", "64", "2147483648", "9999999999", "12345678901", "01", "-1", "1 ", ""));
                ClientFrames.Frame(to, 0x8A, number, chance);
                return;
            case Attack.TinyFragments:
                ClientFrames.Frame(to, 0x01, [], chance);
                for (int i = chance.Below(2 * limits.MaxFragments); i > 0; i--)
                    ClientFrames.Frame(to, 0x00, chance.Chance(500) ? [] : "x"u8, chance);
                ClientFrames.Frame(to, 0x80, [], chance);
                return;
            case Attack.Oversize:
                Oversize(to, limits, chance);
                return;
            case Attack.HugeLength:
                ClientFrames.Header(to, chance.Pick(0x81, 0x01, 0x80), chance.Pick(limits.MaxMessage + 1L, int.MaxValue, long.MaxValue, -1L));
                to.Append(Noise(chance.Below(100), chance));
                return;
            case Attack.Binary:
                ClientFrames.Frame(to, chance.Pick(0x82, 0x02), Noise(chance.Below(50), chance), chance);
                return;
            case Attack.InvalidUtf8:
                InvalidUtf8(to, chance);
                return;
            case Attack.BadClose:
                ClientFrames.Frame(to, 0x88, BadClose(chance), chance);
                return;
            case Attack.BadHeader:
                ClientFrames.Frame(to, chance.Pick(0xC1, 0xA1, 0x91, 0x83, 0x8B, 0x8F, 0x09, 0x08), Noise(chance.Below(10), chance), chance);
                return;
            case Attack.WrongOrder:
                ClientFrames.Frame(to, chance.Pick(0x80, 0x00, 0x01), "a"u8, chance);
                ClientFrames.Frame(to, 0x81, "b"u8, chance);
                return;
            default:
                // A length in a longer form than it needs, or a frame without a mask.
                to.Append(chance.Chance(500) ? [0x81, 0xFE, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9] : [0x81, 0x05, 1, 2, 3, 4, 5]);
                return;
        }
    }

    private static byte[] Noise(int octets, Prng chance)
    {
        byte[] noise = new byte[octets];
        chance.Fill(noise);
        return noise;
    }

    private static void Mutated(ByteQueue to, Limits limits, Prng chance)
    {
        ByteQueue good = new();
        for (int i = chance.Between(1, 3); i > 0; i--)
            ClientFrames.Message(good, ClientFrames.Text(limits, chance), limits, chance);
        byte[] octets = good.Peek.ToArray();
        for (int i = chance.Between(1, 3); i > 0; i--)
            octets[chance.Chance(500) ? chance.Below(Math.Min(16, octets.Length)) : chance.Below(octets.Length)] ^= (byte)(1 << chance.Below(8));
        to.Append(octets);
    }

    private static void Oversize(ByteQueue to, Limits limits, Prng chance)
    {
        byte[] text = new byte[limits.MaxMessage + chance.Between(0, 2)];
        Array.Fill(text, (byte)'m');
        if (chance.Chance(500) || limits.MaxFragments == 1)
        {
            ClientFrames.Frame(to, 0x81, text, chance);
            return;
        }
        int cut = chance.Below(text.Length);
        ClientFrames.Frame(to, 0x01, text.AsSpan(..cut), chance);
        ClientFrames.Frame(to, 0x80, text.AsSpan(cut..), chance);
    }

    private static void InvalidUtf8(ByteQueue to, Prng chance)
    {
        byte[] bad = chance.Below(6) switch
        {
            0 => [0xC0, 0xAF],
            1 => [0xED, 0xA0, 0x80],
            2 => [0xF4, 0x90, 0x80, 0x80],
            3 => [0x80],
            4 => [0xE2, 0x82],
            _ => [0xF8, 0x88, 0x80, 0x80, 0x80],
        };
        byte[] text = [.. "fine"u8, .. bad];
        int cut = chance.Below(text.Length);
        if (chance.Chance(500))
        {
            ClientFrames.Frame(to, 0x81, text, chance);
            return;
        }
        ClientFrames.Frame(to, 0x01, text.AsSpan(..cut), chance);
        ClientFrames.Frame(to, 0x80, text.AsSpan(cut..), chance);
    }

    private static byte[] BadClose(Prng chance) => chance.Below(5) switch
    {
        0 => [3],
        1 => [0x03, 0xED],
        2 => [0x07, 0xD0],
        3 => [0x03, 0xE8, 0xC3],
        _ => [0, 0, .. "x"u8],
    };
}
