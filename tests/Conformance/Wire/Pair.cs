namespace ChannelServer.Conformance.Wire;

/// <summary>Two clients in a channel of their own. The first opened it.</summary>
internal sealed record Pair(ChannelClient First, ChannelClient Second) : IAsyncDisposable
{
    public static async Task<Pair> OpenAsync(ServerUnderTest server)
    {
        ChannelClient first = await ChannelClient.OpenAsync(server);
        return new Pair(first, await ChannelClient.JoinAsync(server, first.ChannelId));
    }

    /// <summary>Expects that a message still gets through from the first to whoever is left.</summary>
    public static async Task ExpectRelayAsync(ChannelClient from, params ChannelClient[] to)
    {
        await from.SendTextAsync("still here");
        foreach (ChannelClient client in to)
            await client.ExpectMessagesAsync("still here");
    }

    public async ValueTask DisposeAsync()
    {
        await First.DisposeAsync();
        await Second.DisposeAsync();
    }
}
