using System.Net;

namespace ChannelServer.Conformance;

/// <summary>A server that tests talk to: a process of their own, or one that somebody named by URL.</summary>
/// <param name="Address">Where it listens.</param>
/// <param name="Process">The process, when it is the suite's own.</param>
public sealed record ServerUnderTest(IPEndPoint Address, ServerProcess? Process)
{
    /// <summary>The server of <c>CHANNEL_SERVER_URL</c>, if that is set.</summary>
    public static string? Url { get; } = Environment.GetEnvironmentVariable("CHANNEL_SERVER_URL") is { Length: > 0 } url ? url : null;

    /// <summary>Skips a test that is about the process or its settings when the server is somebody else's.</summary>
    public static void RequireOwnProcess(string what)
    {
        if (Url is not null)
            Assert.Skip($"CHANNEL_SERVER_URL is set, and this test needs {what}.");
    }

    internal static async Task<ServerUnderTest> OfUrlAsync(string url)
    {
        Uri uri = new(url);
        IPAddress[] addresses = await Dns.GetHostAddressesAsync(uri.DnsSafeHost);
        return new ServerUnderTest(new IPEndPoint(addresses[0], uri.Port), null);
    }
}
