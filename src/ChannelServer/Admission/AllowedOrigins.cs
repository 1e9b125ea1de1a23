using System.Diagnostics.CodeAnalysis;
using System.Text;
using ChannelServer.WebSockets;

namespace ChannelServer.Admission;

/// <summary>
/// The web pages that may use the server (<c>allowed_origins</c>). A browser names the page's origin in every WebSocket handshake and
/// no script can change it, so the list keeps other sites' pages out. A program that is no browser can claim anything; one that sends no
/// Origin claims nothing and is let in.
/// </summary>
internal sealed class AllowedOrigins
{
    private readonly byte[][] _origins;

    private AllowedOrigins(byte[][] origins) => _origins = origins;

    /// <summary>Every page may.</summary>
    public static AllowedOrigins Any { get; } = new([]);

    /// <summary>Reads origins between commas; none means any.</summary>
    /// <param name="list">The setting's value.</param>
    /// <param name="origins">The list.</param>
    public static bool TryParse(string list, [NotNullWhen(true)] out AllowedOrigins? origins)
    {
        string[] entries = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        origins = entries.All(IsOrigin) ? new AllowedOrigins([.. entries.Select(Encoding.ASCII.GetBytes)]) : null;
        return origins is not null;
    }

    /// <summary>Whether the list lets a request in.</summary>
    public bool Allow(in RequestHead head)
    {
        if (_origins.Length == 0 || !head.Values("origin"u8).MoveNext())
            return true;
        // Two Origin fields are no origin.
        if (!head.TryGetSingle("origin"u8, out ReadOnlySpan<byte> claimed))
            return false;
        foreach (byte[] origin in _origins)
        {
            if (claimed.SequenceEqual(origin))
                return true;
        }
        return false;
    }

    /// <summary>
    /// Exactly as a browser writes it (RFC 6454, 6.2): scheme and host in lower case, no path, no default port. Another form would
    /// never match.
    /// </summary>
    private static bool IsOrigin(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? url)
        && text.All(static c => c is > ' ' and < '\x7f')
        && text == $"{url.Scheme}://{url.Authority}" && url.Host.Length > 0 && url.UserInfo.Length == 0;
}
