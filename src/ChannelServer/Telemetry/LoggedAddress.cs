using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelServer.Telemetry;

/// <summary>
/// A client's address as far as the log may tell it. Formatted only when the line is written, so that a line that is held back
/// costs nothing.
/// </summary>
internal readonly struct LoggedAddress(IPAddress? address, LogRemote form) : IUtf8SpanFormattable
{
    // An IPv6 address with its scope, and "/48".
    private const int MaxOctets = 80;

    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        bytesWritten = 0;
        if (form == LogRemote.None || address is null)
            return true;
        IPAddress unmapped = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        if (form == LogRemote.Full)
            return unmapped.TryFormat(utf8Destination, out bytesWritten);

        Span<byte> octets = stackalloc byte[16];
        unmapped.TryWriteBytes(octets, out int length);
        bool ipv4 = unmapped.AddressFamily == AddressFamily.InterNetwork;
        octets[(ipv4 ? 3 : 6)..].Clear();
        ReadOnlySpan<byte> prefix = ipv4 ? "/24"u8 : "/48"u8;
        if (!new IPAddress(octets[..length]).TryFormat(utf8Destination, out int written) || !prefix.TryCopyTo(utf8Destination[written..]))
            return false;
        bytesWritten = written + prefix.Length;
        return true;
    }

    public override string ToString()
    {
        Span<byte> text = stackalloc byte[MaxOctets];
        return TryFormat(text, out int written, default, null) ? Encoding.ASCII.GetString(text[..written]) : "";
    }
}
