namespace ChannelServer.Reliability.Harness;

/// <summary>
/// Thousands of clients at once. Each has a descriptor, of which a process may have 20,000 in many places: so there is one crowd at a time, whichever tests
/// run side by side.
/// </summary>
internal sealed class Crowd : IDisposable
{
    private static readonly SemaphoreSlim _one = new(1);

    private Crowd()
    {
    }

    /// <summary>Waits until the one before has gone.</summary>
    public static async Task<Crowd> GatherAsync()
    {
        await _one.WaitAsync(TestContext.Current.CancellationToken);
        return new Crowd();
    }

    public void Dispose() => _one.Release();
}
