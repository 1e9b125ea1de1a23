using System.Buffers.Text;
using System.Text;

namespace ChannelServer.WebSockets;

/// <summary>What to answer to a request for a WebSocket.</summary>
internal enum UpgradeVerdict
{
    /// <summary>101: the handshake is right.</summary>
    Accept,

    /// <summary>405: RFC 6455 asks for GET.</summary>
    MethodNotAllowed,

    /// <summary>426: no upgrade to WebSocket is asked for, or to another version than 13.</summary>
    UpgradeRequired,

    /// <summary>400: an upgrade is asked for, but wrongly.</summary>
    BadRequest,
}

/// <summary>The opening handshake of RFC 6455 (4.2), from the server's side.</summary>
internal static class UpgradeRequest
{
    /// <summary>Octets of <see cref="WriteResponse"/>, without a subprotocol.</summary>
    public const int ResponseSize = 129;

    /// <summary>Octets that suffice for any <see cref="WriteResponse"/>.</summary>
    public const int MaxResponseSize = ResponseSize + 26 + MaxSubprotocol;

    /// <summary>Octets of the longest subprotocol that is ever answered with.</summary>
    private const int MaxSubprotocol = 32;

    private const int KeySize = AcceptDigest.KeySize;
    private const int AcceptSize = 28;

    /// <summary>Judges a request whose path is a WebSocket's.</summary>
    public static UpgradeVerdict Judge(in RequestHead head)
    {
        if (!head.Method.SequenceEqual("GET"u8))
            return UpgradeVerdict.MethodNotAllowed;
        // RFC 9110, 7.8: Upgrade in an HTTP/1.0 request is to be ignored.
        if (head.MinorVersion == 0 || !head.HasToken("upgrade"u8, "websocket"u8))
            return UpgradeVerdict.UpgradeRequired;
        if (!head.HasToken("connection"u8, "upgrade"u8) || head.HasBody)
            return UpgradeVerdict.BadRequest;
        if (!head.TryGetSingle("sec-websocket-version"u8, out ReadOnlySpan<byte> version) || !version.SequenceEqual("13"u8))
            return UpgradeVerdict.UpgradeRequired;
        return head.TryGetSingle("sec-websocket-key"u8, out ReadOnlySpan<byte> key) && IsKey(key)
            ? UpgradeVerdict.Accept
            : UpgradeVerdict.BadRequest;
    }

    /// <summary>Whether the client offers a subprotocol. Their names are compared as they are (RFC 6455, 4.1).</summary>
    public static bool Offers(in RequestHead head, ReadOnlySpan<byte> subprotocol)
    {
        foreach (ReadOnlySpan<byte> value in head.Values("sec-websocket-protocol"u8))
        {
            foreach (Range part in value.Split((byte)','))
            {
                if (RequestHead.TrimWhiteSpace(value[part]).SequenceEqual(subprotocol))
                    return true;
            }
        }
        return false;
    }

    /// <summary>Writes the 101 response to an accepted request.</summary>
    /// <param name="head">A head that <see cref="Judge"/> accepted.</param>
    /// <param name="subprotocol">The subprotocol to speak, of those that the client offers; empty for none.</param>
    /// <param name="destination">Room for <see cref="MaxResponseSize"/>; without a subprotocol for <see cref="ResponseSize"/>.</param>
    /// <returns>Octets written.</returns>
    public static int WriteResponse(in RequestHead head, ReadOnlySpan<byte> subprotocol, Span<byte> destination)
    {
        ReadOnlySpan<byte> beforeAccept =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "u8;
        beforeAccept.CopyTo(destination);
        head.TryGetSingle("sec-websocket-key"u8, out ReadOnlySpan<byte> key);
        WriteAccept(key, destination[beforeAccept.Length..]);
        int written = beforeAccept.Length + AcceptSize;
        if (!subprotocol.IsEmpty)
        {
            ReadOnlySpan<byte> beforeSubprotocol = "\r\nSec-WebSocket-Protocol: "u8;
            beforeSubprotocol.CopyTo(destination[written..]);
            written += beforeSubprotocol.Length;
            subprotocol.CopyTo(destination[written..]);
            written += subprotocol.Length;
        }
        "\r\n\r\n"u8.CopyTo(destination[written..]);
        return written + 4;
    }

    /// <summary>The Sec-WebSocket-Accept that answers an accepted request, for a server that writes its own response.</summary>
    public static string Accept(in RequestHead head)
    {
        Span<byte> accept = stackalloc byte[AcceptSize];
        head.TryGetSingle("sec-websocket-key"u8, out ReadOnlySpan<byte> key);
        WriteAccept(key, accept);
        return Encoding.ASCII.GetString(accept);
    }

    /// <summary>The answer to a Sec-WebSocket-Key: proof that the server read it.</summary>
    internal static void WriteAccept(ReadOnlySpan<byte> key, Span<byte> destination)
    {
        Span<byte> digest = stackalloc byte[AcceptDigest.Size];
        AcceptDigest.Write(key, digest);
        Base64.EncodeToUtf8(digest, destination, out _, out _);
    }

    /// <summary>16 octets in base64: 22 significant characters and two of padding.</summary>
    private static bool IsKey(ReadOnlySpan<byte> key)
    {
        if (key.Length != KeySize || !Base64.IsValid(key, out int octets) || octets != 16)
            return false;
        // Base64.IsValid skips white space, which would shorten the key.
        return !key.ContainsAny(" \t\r\n"u8);
    }
}
