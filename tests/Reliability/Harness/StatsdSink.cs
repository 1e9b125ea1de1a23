using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Reliability.Harness;

/// <summary>A statsd server of the test's own, which adds up what it is told.</summary>
internal sealed class StatsdSink : IDisposable
{
    private readonly Socket _socket;
    private readonly ConcurrentDictionary<string, long> _sums = new();
    private readonly ConcurrentDictionary<string, long> _gauges = new();

    public StatsdSink(Func<AddressFamily, SocketType, Socket> create)
    {
        _socket = create(AddressFamily.InterNetwork, SocketType.Dgram);
        _socket.ReceiveBufferSize = 4 * 1024 * 1024;
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _ = ListenAsync();
    }

    public int Port => ((IPEndPoint)_socket.LocalEndPoint!).Port;

    public long Begun => Sum("conn.create");

    public long Ended => _sums.Where(sum => sum.Key.StartsWith("conn.end|", StringComparison.Ordinal)).Sum(sum => sum.Value);

    /// <summary>Of a moment within the last second.</summary>
    public long LiveSessions => Gauge("conn.live");

    /// <summary>Of a moment within the last second.</summary>
    public long HeldSeats => Gauge("seat.held");

    /// <summary>Whether nothing is left: no session, no seat that is held, no channel. A gauge that was never told is no gauge.</summary>
    public bool IsEmpty => LiveSessions == 0 && HeldSeats == 0 && ChannelsEnded == Sum("conn.request|new");

    private long ChannelsEnded => _sums.Where(sum => sum.Key.StartsWith("channel.end|", StringComparison.Ordinal)).Sum(sum => sum.Value);

    public long EndedBy(string reason) => Sum($"conn.end|reason:{reason}");

    public long RefusedBy(string reason) => Sum($"conn.refused|reason:{reason}");

    public override string ToString() => string.Join(", ", _sums.OrderBy(sum => sum.Key, StringComparer.Ordinal).Concat(_gauges).Select(sum => $"{sum.Key}={sum.Value}"));

    public void Dispose() => _socket.Dispose();

    private long Sum(string key) => _sums.GetValueOrDefault(key);

    private long Gauge(string key) => _gauges.GetValueOrDefault(key, -1);

    private async Task ListenAsync()
    {
        byte[] datagram = new byte[65536];
        try
        {
            while (true)
            {
                int length = await _socket.ReceiveAsync(datagram);
                foreach (string line in Encoding.ASCII.GetString(datagram, 0, length).Split('\n', StringSplitOptions.RemoveEmptyEntries))
                    Take(line);
            }
        }
        catch (Exception end) when (end is SocketException or ObjectDisposedException)
        {
            // The trial is over.
        }
    }

    /// <summary>Takes a line such as <c>channelserver.conn.end:3|c|#reason:client_closed</c>.</summary>
    private void Take(string line)
    {
        string[] parts = line.Split('|');
        if (parts.Length < 2 || parts[1] is not ("c" or "g"))
            return;
        int colon = parts[0].IndexOf(':', StringComparison.Ordinal);
        string name = parts[0][(parts[0].IndexOf('.', StringComparison.Ordinal) + 1)..colon];
        string key = parts.Length > 2 && parts[2].StartsWith('#') ? $"{name}|{parts[2][1..]}" : name;
        long value = long.Parse(parts[0].AsSpan(colon + 1), CultureInfo.InvariantCulture);
        if (parts[1] == "g")
            _gauges[key] = value;
        else
            _sums.AddOrUpdate(key, value, (_, sum) => sum + value);
    }
}
