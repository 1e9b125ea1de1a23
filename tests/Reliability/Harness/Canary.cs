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

    private readonly ChannelClient _first;
    private readonly ChannelClient _second;
    private readonly List<TimeSpan> _latencies = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _singing = Task.CompletedTask;

    private Canary(ChannelClient first, ChannelClient second)
    {
        _first = first;
        _second = second;
    }

    public static async Task<Canary> StartAsync(Trial trial)
    {
        ChannelClient first = await trial.OpenAsync();
        Canary canary = new(first, await trial.JoinAsync(first.ChannelId));
        canary._singing = canary.SingAsync();
        return canary;
    }

    /// <summary>Leaves, and tells the latencies.</summary>
    public async Task<Latencies> StopAsync()
    {
        await _stop.CancelAsync();
        await _singing;
        await _first.LeaveAsync();
        await _second.LeaveAsync();
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
            // Both directions, so that both read, and answer pings.
            (ChannelClient from, ChannelClient to) = i % 2 == 0 ? (_first, _second) : (_second, _first);
            long sent = Stopwatch.GetTimestamp();
            await from.SendTextAsync($"canary {i}");
            await to.ExpectMessagesAsync($"canary {i}");
            _latencies.Add(Stopwatch.GetElapsedTime(sent));
            await Task.WhenAny(Task.Delay(_interval, _stop.Token), Task.Delay(_interval));
        }
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
