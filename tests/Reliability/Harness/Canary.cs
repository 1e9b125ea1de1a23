using System.Diagnostics;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Reliability.Harness;

/// <summary>
/// A pair that relays a message every 250 ms while others misbehave, and measures. Whatever breaks its channel or delays it fails the
/// trial.
/// </summary>
internal sealed class Canary : IAsyncDisposable
{
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(250);

    private readonly Trial _trial;
    private readonly int _messagesPerChannel;
    private readonly List<TimeSpan> _latencies = [];
    private readonly CancellationTokenSource _stop = new();
    private ChannelClient _first;
    private ChannelClient _second;
    private Task _singing = Task.CompletedTask;

    private Canary(Trial trial, int messagesPerChannel, ChannelClient first, ChannelClient second)
    {
        _trial = trial;
        _messagesPerChannel = messagesPerChannel;
        _first = first;
        _second = second;
    }

    /// <param name="trial">Where it sings.</param>
    /// <param name="messagesPerChannel">After how many messages it goes to a new channel; 0 for never.</param>
    public static async Task<Canary> StartAsync(Trial trial, int messagesPerChannel)
    {
        ChannelClient first = await trial.OpenAsync();
        Canary canary = new(trial, messagesPerChannel, first, await trial.JoinAsync(first.ChannelId));
        canary._singing = canary.SingAsync();
        return canary;
    }

    /// <summary>Leaves, and tells the latencies.</summary>
    public async Task<Latencies> StopAsync()
    {
        await _stop.CancelAsync();
        await _singing;
        await LeaveAsync();
        return new Latencies(_latencies);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _first.DisposeAsync();
        await _second.DisposeAsync();
        _stop.Dispose();
    }

    private async Task SingAsync()
    {
        for (int i = 0; !_stop.IsCancellationRequested; i++)
        {
            if (_messagesPerChannel > 0 && i > 0 && i % _messagesPerChannel == 0)
            {
                await LeaveAsync();
                _first = await _trial.OpenAsync();
                _second = await _trial.JoinAsync(_first.ChannelId);
            }
            // Both directions, so that both read, and answer pings.
            (ChannelClient from, ChannelClient to) = i % 2 == 0 ? (_first, _second) : (_second, _first);
            long sent = Stopwatch.GetTimestamp();
            await from.SendTextAsync($"canary {i}");
            await to.ExpectMessagesAsync($"canary {i}");
            _latencies.Add(Stopwatch.GetElapsedTime(sent));
            await Task.WhenAny(Task.Delay(_interval, _stop.Token), Task.Delay(_interval));
        }
    }

    private async Task LeaveAsync()
    {
        await _first.LeaveAsync();
        await _second.LeaveAsync();
    }
}

/// <summary>Latencies of a canary.</summary>
internal sealed class Latencies(IEnumerable<TimeSpan> values)
{
    private readonly TimeSpan[] _sorted = [.. values.Order()];

    public int Count => _sorted.Length;

    public TimeSpan At(double quantile) => _sorted.Length == 0 ? TimeSpan.Zero : _sorted[Math.Min((int)(quantile * _sorted.Length), _sorted.Length - 1)];

    public override string ToString() => FormattableString.Invariant(
        $"{Count} messages, p50 {At(0.5).TotalMilliseconds:0.0} ms, p99 {At(0.99).TotalMilliseconds:0.0} ms, max {At(1).TotalMilliseconds:0.0} ms");
}
