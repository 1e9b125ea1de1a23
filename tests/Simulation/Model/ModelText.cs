using System.Net;
using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>The texts and small rules of the protocol, written down a second time and as plainly as possible.</summary>
internal static class ModelText
{
    private const string Base64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    /// <summary>16 octets as 22 characters.</summary>
    public static string ChannelName(ReadOnlySpan<byte> octets)
    {
        StringBuilder name = new();
        for (int bit = 0; bit < 128; bit += 6)
        {
            int value = 0;
            for (int i = bit; i < bit + 6; i++)
                value = (value * 2) + (i < 128 ? (octets[i / 8] >> (7 - (i % 8))) & 1 : 0);
            name.Append(Base64Url[value]);
        }
        return name.ToString();
    }

    /// <summary>The greeting of version 1.</summary>
    public static byte[] Greeting(string name, string? token, int? received)
    {
        string resume = token is null ? "" : $",\"resume\":\"{token}\"";
        string count = received is null ? "" : $",\"received\":{received}";
        return Encoding.ASCII.GetBytes($"{{\"channelid\":\"{name}\",\"link\":\"/v1/ws/{name}\"{count}{resume}}}");
    }

    /// <summary>A number as it stands in a ping.</summary>
    public static byte[] Number(int number) => Encoding.ASCII.GetBytes($"{number}");

    /// <summary>The number in a pong, if there is one: 1 to 10 digits, no leading zero.</summary>
    public static bool TryNumber(byte[] payload, out long number)
    {
        number = 0;
        string text = Encoding.Latin1.GetString(payload);
        bool isNumber = text.Length is >= 1 and <= 10 && text.All(char.IsAsciiDigit) && (text[0] != '0' || text.Length == 1);
        return isNumber && long.TryParse(text, out number);
    }

    public static byte[] Trim(byte[] text)
    {
        bool isPlain = text.Length == 0 || (text[0] is > 0x20 and < 0x7F && text[^1] is > 0x20 and < 0x7F);
        return isPlain ? text : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text).Trim());
    }

    /// <summary>The envelope of version 1.</summary>
    public static byte[] Envelope(byte[] text, byte[] sender) =>
        [.. "{\"message\":\""u8, .. Escape(text), .. "\",\"sender\":"u8, .. sender, .. "}"u8];

    /// <summary>A text as it stands between the quotation marks of JSON.</summary>
    public static List<byte> Escape(byte[] text)
    {
        List<byte> json = new(text.Length + 16);
        foreach (byte octet in text)
        {
            if (octet is (byte)'"' or (byte)'\\')
                json.AddRange([(byte)'\\', octet]);
            else if (octet >= 0x20)
                json.Add(octet);
            else
                json.AddRange(Encoding.ASCII.GetBytes(EscapedControl((char)octet)));
        }
        return json;
    }

    /// <summary>The same client, for the rule of known addresses.</summary>
    public static bool IsSame(IPAddress? one, IPAddress? other)
    {
        if (one is null || other is null)
            return false;
        byte[] first = Significant(one);
        byte[] second = Significant(other);
        return first.AsSpan().SequenceEqual(second);
    }

    /// <summary>The close code and the text of section 4 of the protocol.</summary>
    public static (ushort Code, string Text) CloseOf(EndReason reason) => reason switch
    {
        EndReason.ClientClosed => (1000, ""),
        EndReason.Disconnected => (0, ""),
        EndReason.ServerShutdown => (1001, "server shutdown"),
        EndReason.ProtocolError => (1002, "protocol error"),
        EndReason.BinaryMessage => (1003, "text only"),
        EndReason.InvalidUtf8 => (1007, "invalid utf-8"),
        EndReason.SlowConsumer => (1008, "slow consumer"),
        EndReason.ControlRate or EndReason.KeptFull => (1008, "rate"),
        EndReason.TooManyFragments => (1008, "fragments"),
        EndReason.MessageTooBig => (1009, "message too big"),
        EndReason.TryAgainLater => (1013, "try again later"),
        EndReason.ResumeRefused or EndReason.TakenOver => (4401, "resume refused"),
        EndReason.ChannelUnavailable or EndReason.AddressUnknown => (4404, "channel unavailable"),
        EndReason.ClientTimeout => (4408, "client timeout"),
        EndReason.ChannelFull => (4409, "channel full"),
        EndReason.ChannelExpired => (4410, "channel expired"),
        EndReason.DataLimit => (4413, "data limit"),
        EndReason.ExchangeLimit => (4429, "exchange limit"),
        _ => throw new SimulationFailure($"The model knows no end by {reason}"),
    };

    private static string EscapedControl(char control) => control switch
    {
        '\b' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\f' => "\\f",
        '\r' => "\\r",
        _ => $"\\u{(int)control:x4}",
    };

    private static byte[] Significant(IPAddress address)
    {
        byte[] octets = address.GetAddressBytes();
        if (octets.Length == 4)
            return octets;
        bool isMapped = octets.AsSpan(0, 12).SequenceEqual((byte[])[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255]);
        return isMapped ? octets[12..] : octets[..8];
    }
}
