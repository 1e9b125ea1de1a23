namespace ChannelServer.WebSockets;

/// <summary>Close codes (RFC 6455, 7.4, and the registry that it founded).</summary>
internal static class CloseCode
{
    /// <summary>The purpose is fulfilled.</summary>
    public const ushort Normal = 1000;

    /// <summary>
    /// Whether a peer may send the code: a registered one that is not reserved for local use (1004 to 1006 and 1015 are), or
    /// one of the ranges for libraries and applications.
    /// </summary>
    public static bool MayBeSent(int code) => code is (>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999);
}
