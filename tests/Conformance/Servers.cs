using System.Collections.Concurrent;

namespace ChannelServer.Conformance;

/// <summary>
/// The servers that tests share: one process for each set of settings, started when first asked for and stopped when the run is
/// over. Then each must still be alive, stop with status 0, and have logged no exception.
/// </summary>
public sealed class Servers : IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, Lazy<Task<ServerUnderTest>>> _started = new();

    /// <summary>A server with the settings that every deployment starts from.</summary>
    public Task<ServerUnderTest> DefaultAsync() => StartedAsync("");

    /// <summary>A server with special settings, as command-line arguments.</summary>
    public Task<ServerUnderTest> WithAsync(string settings)
    {
        ServerUnderTest.RequireOwnProcess($"a server started with {settings}");
        return StartedAsync(settings);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        // Those that never started are none; the tests that wanted them have said so.
        await Task.WhenAll(_started.Values
            .Select(started => started.Value)
            .Where(started => started.IsCompletedSuccessfully && started.Result.Process is not null)
            .Select(started => started.Result.Process!.StopAsync()));
    }

    private Task<ServerUnderTest> StartedAsync(string settings) => _started.GetOrAdd(settings, key => new(() =>
        key.Length == 0 && ServerUnderTest.Url is { } url
            ? ServerUnderTest.OfUrlAsync(url)
            : ServerProcess.StartAsync(key.Split(' ', StringSplitOptions.RemoveEmptyEntries)))).Value;
}
