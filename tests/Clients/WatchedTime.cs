using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Clients;

/// <summary>Time that only a test moves, and that tells when a timer was set: a test that moved it before that would move it in vain.</summary>
internal sealed class WatchedTime : FakeTimeProvider
{
    private readonly ConcurrentDictionary<TimeSpan, TaskCompletionSource> _set = new();

    /// <summary>Completes when a timer of this length has been set.</summary>
    public Task TimerAsync(TimeSpan length) => Of(length).Task.WaitAsync(Talk.Patience);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ITimer timer = base.CreateTimer(callback, state, dueTime, period);
        Of(dueTime).TrySetResult();
        return timer;
    }

    private TaskCompletionSource Of(TimeSpan length) =>
        _set.GetOrAdd(length, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
