using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace ChannelServer.Transport;

/// <summary>The HTTP answers that the drivers give themselves: all end the connection.</summary>
internal static class ErrorResponse
{
    /// <summary>Octets that suffice for any answer.</summary>
    public const int MaxSize = 512;

    /// <summary>Writes a whole response.</summary>
    /// <param name="status">The status.</param>
    /// <param name="retryAfter">Seconds after which the client may try again; 0 says nothing about it.</param>
    /// <param name="utcNow">For the Date field, which RFC 9110 (6.6.1) asks of a server with a clock.</param>
    /// <param name="destination">Room for <see cref="MaxSize"/>.</param>
    /// <returns>Octets written.</returns>
    public static int Write(int status, int retryAfter, DateTimeOffset utcNow, Span<byte> destination)
    {
        (string reason, string fields, string body) = Describe(status);
        string retry = retryAfter > 0 ? string.Create(CultureInfo.InvariantCulture, $"Retry-After: {retryAfter}\r\n") : "";
        string response = string.Create(
            CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status} {reason}\r\nDate: {utcNow:R}\r\n{fields}{retry}Content-Type: text/plain\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        return Encoding.ASCII.GetBytes(response, destination);
    }

    /// <summary>What the answer says besides its status: extra fields, each with its line end, and a sentence for a person.</summary>
    public static (string Reason, string Fields, string Body) Describe(int status) => status switch
    {
        400 => ("Bad Request", "Connection: close\r\n", "The request is malformed.\n"),
        403 => ("Forbidden", "Connection: close\r\n", "You may not use this server.\n"),
        // No sentence: the request may be a HEAD, whose answer has no content.
        405 => ("Method Not Allowed", "Connection: close\r\nAllow: GET\r\n", ""),
        408 => ("Request Timeout", "Connection: close\r\n", "The request head did not arrive in time.\n"),
        426 => ("Upgrade Required", "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "This is a WebSocket endpoint.\n"),
        429 => ("Too Many Requests", "Connection: close\r\n", "Too much comes from your address. Try again later.\n"),
        431 => ("Request Header Fields Too Large", "Connection: close\r\n", "The request head is too large.\n"),
        503 => ("Service Unavailable", "Connection: close\r\n", "The server takes no more for now. Try again later.\n"),
        _ => throw new UnreachableException($"No answer for {status}"),
    };
}
