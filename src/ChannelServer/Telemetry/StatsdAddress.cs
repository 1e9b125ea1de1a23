using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Telemetry;

/// <summary>
/// Where the statsd server is now. A name is resolved in the background, again every minute, and after a failure with growing pauses;
/// whoever asks for the address never waits. Used by the exporter's loop alone.
/// </summary>
internal sealed class StatsdAddress(
    StatsdTarget target, TimeProvider time, ILogger logger, Func<string, Task<IPAddress[]>> resolve)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(60);

    // Containers move; their names follow.
    private static readonly TimeSpan Freshness = TimeSpan.FromSeconds(60);

    private readonly IPAddress? _literal = IPAddress.TryParse(target.Host, out IPAddress? address) ? address : null;
    private IPEndPoint? _endPoint;
    private IPEndPoint? _told;
    private Task<IPAddress?>? _lookup;
    private long _since = time.GetTimestamp();
    private TimeSpan _wait = TimeSpan.Zero;
    private TimeSpan _pause = FirstPause;
    private bool _complained;

    /// <summary>The address, as far as it is known. Starts a lookup when one is due.</summary>
    public IPEndPoint? Current()
    {
        if (_lookup is { IsCompletedSuccessfully: true } lookup)
        {
            _lookup = null;
            Take(lookup.Result);
        }
        if (_lookup is null && time.GetElapsedTime(_since) >= _wait)
        {
            if (_literal is not null)
                Take(_literal);
            else
                _lookup = Lookup();
        }
        return _endPoint;
    }

    /// <summary>Waits for a lookup under way, but not long: the process is about to end.</summary>
    public Task Settle(TimeSpan most) => _lookup is null ? Task.CompletedTask : Task.WhenAny(_lookup, Task.Delay(most));

    /// <summary>Sending to the address worked, as far as UDP can tell.</summary>
    public void Sent()
    {
        if (_complained || !Equals(_endPoint, _told))
            logger.StatsdResolved(target.Host, $"{_endPoint}");
        _told = _endPoint;
        _complained = false;
        _pause = FirstPause;
    }

    /// <summary>Sending to the address failed: it may be wrong. Nothing is sent until the pause is over.</summary>
    public void Failed(SocketError fault)
    {
        if (!_complained)
            logger.StatsdUnreachable($"{_endPoint}", $"{fault}", _pause.TotalSeconds);
        _endPoint = null;
        Pause();
    }

    private void Take(IPAddress? resolved)
    {
        if (resolved is not null)
        {
            _endPoint = new IPEndPoint(resolved, target.Port);
            Wait(_literal is null ? Freshness : TimeSpan.MaxValue);
        }
        else if (_endPoint is not null)
        {
            // The last known address is better than none.
            Wait(Freshness);
        }
        else
        {
            if (!_complained)
                logger.StatsdUnresolved(target.Host, _pause.TotalSeconds);
            Pause();
        }
    }

    private void Pause()
    {
        _complained = true;
        Wait(_pause);
        _pause = TimeSpan.FromTicks(Math.Min(_pause.Ticks * 2, LongestPause.Ticks));
    }

    private void Wait(TimeSpan span)
    {
        _since = time.GetTimestamp();
        _wait = span;
    }

    private async Task<IPAddress?> Lookup()
    {
        try
        {
            IPAddress[] found = await resolve(target.Host).ConfigureAwait(false);
            // statsd servers listen on IPv4 first of all, and "localhost" often means ::1 before 127.0.0.1.
            return found.FirstOrDefault(static address => address.AddressFamily == AddressFamily.InterNetwork) ?? found.FirstOrDefault();
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
