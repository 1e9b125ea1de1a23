using System.Diagnostics;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>A request head has ten seconds. In a class of its own, so that others run meanwhile.</summary>
public sealed class SlowHeadTests(Servers servers)
{
    /// <summary>Of a read: above what is asserted.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_head_that_is_not_complete_in_ten_seconds_gets_408()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        string upgrade = new UpgradeRequest().ToString();
        await Task.WhenAll(
            EndsSilentlyAsync(server),
            TimesOutAsync(server, "GET /v1/ws/ HT"),
            TimesOutAsync(server, upgrade[..^2]),
            DripsAsync(server, upgrade));
    }

    /// <summary>One who has not sent an octet has asked nothing: browsers open such connections in reserve.</summary>
    private static async Task EndsSilentlyAsync(ServerUnderTest server)
    {
        // The ten seconds begin with the connection, which this process may notice late.
        Stopwatch waited = Stopwatch.StartNew();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.ExpectEndAsync(_patience);
        Assert.InRange(waited.Elapsed.TotalSeconds, 8.5, 25);
    }

    private static async Task TimesOutAsync(ServerUnderTest server, string beginning)
    {
        Stopwatch waited = Stopwatch.StartNew();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(beginning);
        HttpResponse response = await connection.ReadResponseAsync(_patience);

        Assert.Equal(408, response.Status);
        Assert.InRange(waited.Elapsed.TotalSeconds, 8.5, 25);
        await connection.ExpectEndAsync();
    }

    /// <summary>An octet now and then is no excuse.</summary>
    private static async Task DripsAsync(ServerUnderTest server, string head)
    {
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        Task<HttpResponse> answer = connection.ReadResponseAsync(_patience);
        foreach (char octet in head)
        {
            if (answer.IsCompleted)
                break;
            await connection.SendAsync(octet.ToString());
            await Task.WhenAny(answer, Task.Delay(500, TestContext.Current.CancellationToken));
        }
        Assert.Equal(408, (await answer).Status);
    }
}
