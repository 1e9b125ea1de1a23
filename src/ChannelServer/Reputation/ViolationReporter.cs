using System.Net;
using ReportQueue = System.Threading.Channels.Channel<System.Net.IPAddress>;

namespace ChannelServer.Reputation;

/// <summary>
/// Reports addresses that misbehave, one after the other, in the background. Whoever has something to report never waits: what does not fit
/// into the queue is dropped, and an address is reported once a minute. Safe for any thread.
/// </summary>
internal sealed class ViolationReporter : IAsyncDisposable
{
    /// <summary>Reports that may wait.</summary>
    public const int MaxWaiting = 1024;

    /// <summary>Addresses that are remembered as reported; when there are more, the memory starts anew.</summary>
    private const int MaxRemembered = 8192;

    /// <summary>How long an address is not reported again.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly ReputationClient _client;
    private readonly TimeProvider _time;
    private readonly long _started;
    private readonly ReportQueue _queue = System.Threading.Channels.Channel.CreateBounded<IPAddress>(
        new System.Threading.Channels.BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private readonly Lock _gate = new();
    private readonly Dictionary<IPAddress, TimeSpan> _reported = [];
    private readonly Task _reporting;
    private volatile bool _isStopping;

    /// <param name="client">Sends.</param>
    /// <param name="time">The clock.</param>
    public ViolationReporter(ReputationClient client, TimeProvider time)
    {
        _client = client;
        _time = time;
        _started = time.GetTimestamp();
        _reporting = Task.Run(SendAsync);
    }

    /// <summary>Reports an address, soon.</summary>
    public void Report(IPAddress? address)
    {
        if (address is not null && IsNews(address))
            _queue.Writer.TryWrite(address);
    }

    /// <summary>Waits for the report under way; what waits behind it is dropped.</summary>
    public async ValueTask DisposeAsync()
    {
        _isStopping = true;
        _queue.Writer.TryComplete();
        await _reporting;
    }

    private bool IsNews(IPAddress address)
    {
        TimeSpan now = _time.GetElapsedTime(_started);
        lock (_gate)
        {
            if (_reported.TryGetValue(address, out TimeSpan at) && now - at < Pause)
                return false;
            if (_reported.Count >= MaxRemembered)
                _reported.Clear();
            _reported[address] = now;
            return true;
        }
    }

    private async Task SendAsync()
    {
        await foreach (IPAddress address in _queue.Reader.ReadAllAsync())
        {
            if (_isStopping)
                return;
            await _client.ReportAsync(address);
        }
    }
}
