using System.Globalization;
using System.Text;
using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>The frames of version 2: section 6 of the protocol.</summary>
internal static class VersionTwo
{
    public static byte[] Greeting(ModelSeat seat, Limits limits, TimeSpan left)
    {
        string name = seat.Channel.Name;
        string resume = seat.Token is null ? "" : $"\"resume\":\"{seat.Token}\",";
        IEnumerable<string> peers = seat.Channel.Seats.Where(other => other != seat).Select(other =>
            $"{{\"peer\":\"{other.Number}\",\"state\":\"{(other.Session is null ? "away" : "here")}\",\"sender\":{Sender(other, seat.Person)}}}");
        return Encode($$"""
            {"type":"greeting","channelid":"{{name}}","link":"/v1/ws/{{name}}",{{resume}}"expires_in":{{Seconds(limits.ConnLifespan, left)}},"max_exchanges":{{limits.MaxExchanges}},"max_data":{{limits.MaxData}},"max_message":{{limits.MaxMessage}},"received":{{seat.Accepted}},"peers":[{{string.Join(',', peers)}}]}
            """);
    }

    public static byte[] Message(int number, int peer, byte[] text, byte[] sender) =>
        [.. Encode($$"""{"type":"message","seq":{{number}},"peer":"{{peer}}","message":""" + "\""), .. ModelText.Escape(text), .. "\",\"sender\":"u8, .. sender, .. "}"u8];

    public static byte[] Ack(int received) => Encode($$"""{"type":"ack","received":{{received}}}""");

    public static byte[] Peer(ModelSeat about, string state, Person reader) =>
        Encode($$"""{"type":"peer","peer":"{{about.Number}}","state":"{{state}}","sender":{{Sender(about, reader)}}}""");

    public static byte[] Expiring(TimeSpan left) => Encode($$"""{"type":"expiring","expires_in":{{Seconds(left, left)}}}""");

    public static byte[] End(ushort code, string reason)
    {
        bool mayRetry = code is 1001 or 1011 or 1012 or 1013 or 4408;
        return Encode($$"""{"type":"end","code":{{code}},"reason":"{{reason}}","retry":{{(mayRetry ? "true" : "false")}}}""");
    }

    private static string Sender(ModelSeat about, Person reader) => Encoding.UTF8.GetString(about.Person.ReadBy(reader.Languages));

    /// <summary>Whole seconds, rounded up, at least 1; 0 when nothing expires.</summary>
    private static string Seconds(TimeSpan lifespan, TimeSpan left)
    {
        if (lifespan == TimeSpan.Zero)
            return "0";
        long seconds = Math.Max(1, (left.Ticks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond);
        return seconds.ToString(CultureInfo.InvariantCulture);
    }

    private static byte[] Encode(string text) => Encoding.UTF8.GetBytes(text);
}
