using System.Security.Cryptography;
using System.Text;
using ChannelServer.Admission;
using ChannelServer.Transport;
using ChannelServer.WebSockets;
using static ChannelServer.Fuzz.FuzzTargets;

namespace ChannelServer.Fuzz;

/// <summary>
/// The request head, the judgement of the upgrade, the route and the 101. The first octet says how many cuts follow, two octets each,
/// counted from the one before; the rest is what a client sends. A driver parses from the start with each piece that comes: what has
/// been decided once stays decided.
/// </summary>
internal static class HeadTarget
{
    public static void Run(ReadOnlySpan<byte> octets)
    {
        FuzzInput input = new(octets);
        FuzzInput cuts = new(input.Take(2 * (input.TakeByte() & 15)));
        // As much as a driver shows the parser at once.
        ReadOnlySpan<byte> bytes = input.Take(RequestHead.MaxBytes + 1);

        HeadStatus status = RequestHead.TryParse(bytes, out RequestHead head);
        bool isDecided = false;
        int end = 0;
        while (!cuts.IsEmpty)
        {
            end = Math.Min(bytes.Length, end + ((cuts.TakeByte() << 8) | cuts.TakeByte()));
            HeadStatus early = RequestHead.TryParse(bytes[..end], out RequestHead earlyHead);
            Check(!isDecided || early != HeadStatus.Incomplete);
            isDecided = early != HeadStatus.Incomplete;
            if (early == HeadStatus.Complete)
            {
                Check(status == HeadStatus.Complete);
                Check(earlyHead.Length == head.Length && earlyHead.HasBody == head.HasBody && earlyHead.Path.SequenceEqual(head.Path));
            }
            else if (isDecided)
            {
                // Refused either way; which of the two refusals may depend on what is there to see.
                Check(status is HeadStatus.Malformed or HeadStatus.TooLarge);
            }
        }
        if (status == HeadStatus.Complete)
            CheckHead(bytes, head);
        else
            Check(ChannelRoute.FaultOf(status).Status() is 400 or 431);
    }

    private static void CheckHead(ReadOnlySpan<byte> bytes, in RequestHead head)
    {
        Check(head.Length is > 0 and <= RequestHead.MaxBytes && head.Length <= bytes.Length);
        Check(bytes[..head.Length].EndsWith("\r\n\r\n"u8));
        Check(!head.Method.IsEmpty && !head.Path.IsEmpty && head.MinorVersion is 0 or 1);
        int hosts = 0;
        foreach (ReadOnlySpan<byte> host in head.Values("host"u8))
        {
            Check(host.IndexOfAny("\r\n\0"u8) < 0);
            hosts++;
        }
        Check(hosts == 1 || (hosts == 0 && head.MinorVersion == 0));

        ChannelRoute route = ChannelRoute.Of(head);
        if (route.Kind == RouteKind.Refuse)
            Check(route.Fault.Status() is 400 or 405 or 426);
        if (route.Kind != RouteKind.Upgrade)
            return;
        Check(!head.HasBody && head.Method.SequenceEqual("GET"u8) && !route.ChannelId.Contains((byte)'/'));
        Span<byte> response = stackalloc byte[UpgradeRequest.ResponseSize];
        Check(UpgradeRequest.WriteResponse(head, default, response) == response.Length);
        Check(head.TryGetSingle("sec-websocket-key"u8, out ReadOnlySpan<byte> key));
#pragma warning disable CA5350 // RFC 6455 demands SHA-1; nothing secret depends on it.
        byte[] hash = SHA1.HashData([.. key, .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8]);
#pragma warning restore CA5350
        Check(Encoding.ASCII.GetString(response).EndsWith($": {Convert.ToBase64String(hash)}\r\n\r\n", StringComparison.Ordinal));
    }
}
