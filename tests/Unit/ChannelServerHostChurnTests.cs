using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelServer.Tests;

/// <summary>Servers that come and go inside one program, with clients on them: each gives back what it took, however it ends.</summary>
[Collection(nameof(Alone))]
public sealed class ChannelServerHostChurnTests
{
    private const int Servers = 50;

    private static readonly CancellationToken _hurry = new(canceled: true);

    [Theory]
    [MemberData(nameof(RunningServer.Engines), MemberType = typeof(RunningServer))]
    public async Task Fifty_servers_leave_no_descriptor_and_no_thread_behind(Engine engine)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "/proc is Linux'.");
        // The first ones open for good what the runtime needs.
        for (int i = 0; i < 6; i++)
            await LiveAsync(engine, i);
        int descriptors = await SettleAsync(Descriptors, int.MaxValue);
        for (int i = 0; i < Servers; i++)
            await LiveAsync(engine, i);
        // One for each server would be fifty.
        int left = await SettleAsync(Descriptors, descriptors + 5);
        Assert.True(left <= descriptors + 5, $"{left} descriptors, {descriptors} before: {string.Join(' ', Targets())}");
        Assert.True(await SettleAsync(Threads, 0) == 0, $"Threads are left: {string.Join(", ", ThreadNames())}.");
    }

    /// <summary>A server's life: clients of every kind, and one of three ends.</summary>
    private static async Task LiveAsync(Engine engine, int i)
    {
        Settings settings = RunningServer.Plain(engine) with { Shards = 3, ShutdownTimeout = TimeSpan.FromSeconds(20) };
        ChannelServerHost server = await ChannelServerHost.StartAsync(settings, NullLoggerFactory.Instance);
        Uri address = new(server.Addresses[0]);
        List<TcpClient> clients = [];
        try
        {
            for (int k = 0; k < 4; k++)
                clients.Add(await SendAsync(address, ""));
            TcpClient opener = await SendAsync(address, "");
            clients.Add(opener);
            string id = await RunningServer.ReadIdAsync(opener);
            clients.Add(await SendAsync(address, id));
            // Behind another request, and so on Kestrel's pipes with either engine.
            TcpClient late = await ConnectAsync(address);
            clients.Add(late);
            await late.GetStream().WriteAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
            Assert.StartsWith("HTTP/1.1 200", await RunningServer.ReadHeadAsync(late), StringComparison.Ordinal);
            await late.GetStream().WriteAsync(RunningServer.Upgrade(id), TestContext.Current.CancellationToken);
            Assert.StartsWith("HTTP/1.1 101", await RunningServer.ReadHeadAsync(late), StringComparison.Ordinal);
            // Silent ones, and requests that are on their way when the end comes.
            for (int k = 0; k < 4; k++)
            {
                TcpClient silent = await ConnectAsync(address);
                clients.Add(silent);
                if (k % 2 == 0)
                    await silent.GetStream().WriteAsync(RunningServer.Upgrade(id), TestContext.Current.CancellationToken);
            }
            if (i % 3 == 0)
            {
                Task stopping = server.StopAsync(TestContext.Current.CancellationToken);
                foreach (TcpClient client in clients)
                    client.Dispose();
                await stopping;
            }
            else if (i % 3 == 1)
            {
                await server.StopAsync(_hurry);
            }
            // The third is not stopped at all.
        }
        finally
        {
            await server.DisposeAsync();
            foreach (TcpClient client in clients)
                client.Dispose();
        }
        await server.DisposeAsync();
        using TcpClient nobody = new();
        await Assert.ThrowsAnyAsync<SocketException>(() => nobody.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken).AsTask());
    }

    private static async Task<TcpClient> ConnectAsync(Uri address)
    {
        TcpClient client = new();
        await client.ConnectAsync(address.Host, address.Port, TestContext.Current.CancellationToken);
        return client;
    }

    private static async Task<TcpClient> SendAsync(Uri address, string channel)
    {
        TcpClient client = await ConnectAsync(address);
        await client.GetStream().WriteAsync(RunningServer.Upgrade(channel), TestContext.Current.CancellationToken);
        Assert.StartsWith("HTTP/1.1 101", await RunningServer.ReadHeadAsync(client), StringComparison.Ordinal);
        return client;
    }

    /// <summary>Counts until there are no more than asked for, or none has gone for a second.</summary>
    private static async Task<int> SettleAsync(Func<int> count, int most)
    {
        int least = count();
        for (int quiet = 0; quiet < 10 && (least > most || most == int.MaxValue); quiet++)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
            if (count() is int now && now < least)
                (least, quiet) = (now, 0);
        }
        return least;
    }

    private static int Descriptors() => Targets().Count();

    /// <summary>Sockets, pipes and what else has no path. Files are the runtime's: it opens an assembly when the first of its methods runs, whenever that is.</summary>
    private static IEnumerable<string> Targets() => Directory.GetFileSystemEntries("/proc/self/fd")
        .Select(static path => new FileInfo(path).LinkTarget ?? "")
        .Where(static target => target.Length > 0 && target[0] != '/')
        .Order(StringComparer.Ordinal);

    private static int Threads() => ThreadNames().Count(static name => name.StartsWith("shard ", StringComparison.Ordinal));

    private static List<string> ThreadNames()
    {
        List<string> names = [];
        foreach (string task in Directory.GetDirectories("/proc/self/task"))
        {
            try
            {
                names.Add(File.ReadAllText(Path.Combine(task, "comm")).Trim());
            }
            catch (IOException)
            {
                // It has ended.
            }
        }
        return names;
    }
}
