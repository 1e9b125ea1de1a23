using System.Text.Json;

namespace ChannelServer.Client;

/// <summary>What a text frame of the server says.</summary>
internal abstract record ServerFrame
{
    private static readonly Sender _nobody = new(null, null, null, null, null);

    public sealed record Greeting(
        string ChannelId, string Link, string? Token, ChannelLimits? Limits, long Received, IReadOnlyList<Peer> Peers) : ServerFrame;

    public sealed record Message(ChannelMessage Content) : ServerFrame;

    public sealed record Acknowledgement(long Received) : ServerFrame;

    public sealed record Presence(PeerChange Change) : ServerFrame;

    public sealed record Expiring(TimeSpan ExpiresIn) : ServerFrame;

    public sealed record End(int Code, string Reason, bool Retry) : ServerFrame;

    /// <summary>A later server may have more to say.</summary>
    public sealed record Unknown : ServerFrame;

    /// <exception cref="ProtocolException">It is nothing that a channel server says.</exception>
    public static ServerFrame Parse(ReadOnlyMemory<byte> json, int version)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return version == 2 ? OfVersion2(document.RootElement) : OfVersion1(document.RootElement);
        }
        catch (Exception wrong) when (wrong is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new ProtocolException("a malformed frame", wrong);
        }
    }

    private static ServerFrame OfVersion1(JsonElement frame) => frame.TryGetProperty("channelid", out JsonElement id)
        ? new Greeting(RequiredOf(id), RequiredOf(frame.GetProperty("link")), null, null, 0, [])
        : new Message(new ChannelMessage(RequiredOf(frame.GetProperty("message")), SenderOf(frame), null, 0));

    private static ServerFrame OfVersion2(JsonElement frame) => TextOf(frame, "type") switch
    {
        "greeting" => new Greeting(
            RequiredOf(frame.GetProperty("channelid")),
            RequiredOf(frame.GetProperty("link")),
            TextOf(frame, "resume"),
            new ChannelLimits(
                SecondsOf(frame), frame.GetProperty("max_exchanges").GetInt32(), frame.GetProperty("max_data").GetInt64(),
                frame.GetProperty("max_message").GetInt32()),
            frame.GetProperty("received").GetInt64(),
            [.. frame.GetProperty("peers").EnumerateArray().Select(peer =>
                new Peer(RequiredOf(peer.GetProperty("peer")), TextOf(peer, "state") == "away", SenderOf(peer)))]),
        "message" => new Message(new ChannelMessage(
            RequiredOf(frame.GetProperty("message")), SenderOf(frame), TextOf(frame, "peer"), frame.GetProperty("seq").GetInt64())),
        "ack" => new Acknowledgement(frame.GetProperty("received").GetInt64()),
        "peer" => NewsOf(TextOf(frame, "state")) is { } news
            ? new Presence(new PeerChange(RequiredOf(frame.GetProperty("peer")), news, SenderOf(frame)))
            : new Unknown(),
        "expiring" => new Expiring(SecondsOf(frame)),
        "end" => new End(frame.GetProperty("code").GetInt32(), TextOf(frame, "reason") ?? "", frame.GetProperty("retry").GetBoolean()),
        _ => new Unknown(),
    };

    private static PeerNews? NewsOf(string? state) => state switch
    {
        "joined" => PeerNews.Joined,
        "away" => PeerNews.Away,
        "back" => PeerNews.Back,
        "left" => PeerNews.Left,
        _ => null,
    };

    private static TimeSpan SecondsOf(JsonElement frame) => TimeSpan.FromSeconds(frame.GetProperty("expires_in").GetInt64());

    private static Sender SenderOf(JsonElement frame) => frame.TryGetProperty("sender", out JsonElement sender)
        ? new Sender(TextOf(sender, "city"), TextOf(sender, "country"), TextOf(sender, "region"), TextOf(sender, "remote"), TextOf(sender, "ua"))
        : _nobody;

    private static string RequiredOf(JsonElement text) => text.GetString() ?? throw new FormatException("null instead of a text");

    private static string? TextOf(JsonElement frame, string name) =>
        frame.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}

/// <summary>The server, or what answers in its place, does not keep to the protocol.</summary>
internal sealed class ProtocolException(string what, Exception? inner = null) : Exception(what, inner);
