using ChannelServer.WebSockets;

namespace ChannelServer.Http;

/// <summary>Reads User-Agent. It is shown to a person at the other end, so it is plain and short or it is not there.</summary>
internal static class UserAgent
{
    /// <summary>Octets of a user agent; browsers send 80 to 200.</summary>
    public const int MaxOctets = 512;

    /// <summary>The user agent; nothing where it is missing, repeated, too long, or not visible ASCII and spaces.</summary>
    public static ReadOnlySpan<byte> Of(in RequestHead head)
    {
        bool isUsable = head.TryGetSingle("user-agent"u8, out ReadOnlySpan<byte> value)
            && value.Length <= MaxOctets
            && !value.ContainsAnyExceptInRange((byte)0x20, (byte)0x7E);
        return isUsable ? value : default;
    }
}
