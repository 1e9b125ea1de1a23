using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace ChannelServer.Tests;

/// <summary>The program as a process of its own: how it starts, how it fails, how it ends.</summary>
public sealed class ProgramTests
{
    public static TheoryData<string> Engines => OperatingSystem.IsLinux() ? ["epoll", "kestrel"] : ["kestrel"];

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task A_port_in_use_is_told_in_words(string engine)
    {
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        using Process server = Start($"--engine={engine}", "--hostname=127.0.0.1", $"--port={port}");
        await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, server.ExitCode);
        Assert.Equal(
            $"channelserver: cannot listen on 127.0.0.1 port {port}: the port is in use\n",
            await server.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task An_address_of_another_machine_is_told_in_words(string engine)
    {
        // RFC 5737 keeps it for documentation: no machine has it.
        using Process server = Start($"--engine={engine}", "--hostname=192.0.2.1", "--port=0");
        await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, server.ExitCode);
        Assert.Equal(
            "channelserver: cannot listen on 192.0.2.1 port 0: this machine does not have the address\n",
            await server.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Signals_until_the_very_end_leave_the_exit_status_at_0(string engine)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "This system has no SIGTERM.");
        using Process server = Start($"--engine={engine}", "--hostname=127.0.0.1", "--port=0", "--drain_grace=60");
        List<string> lines = [];
        while (await server.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            lines.Add(EventOf(line));
            if (lines[^1] == "ServerStarted")
                break;
        }
        Task<string> rest = server.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        // As fast as they go: one will come while the last parts are taken apart, and one when they are gone.
        while (!server.HasExited)
            Assert.True(Kill(server.Id, SigTerm) == 0 || server.HasExited);
        await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, server.ExitCode);
        lines.AddRange((await rest).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(EventOf));
        Assert.Single(lines, "ServerHurrying");
        Assert.Single(lines, "ServerStopped");
    }

    [Fact]
    public async Task Lines_of_the_HTTP_server_are_its_own_and_come_with_verbose_alone()
    {
        Settings settings = RunningServer.Plain(Engine.Kestrel) with { Debug = true };
        await using RunningServer server = await RunningServer.StartAsync(settings);
        using (TcpClient visitor = await server.ConnectAsync())
        {
            await visitor.GetStream().WriteAsync("GET /__version__ HTTP/1.1\r\nHost: a\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
            await RunningServer.ReadHeadAsync(visitor);
        }
        Assert.DoesNotContain("Connection id", await server.StopAsync(), StringComparison.Ordinal);
    }

    private const int SigTerm = 15;

    private static Process Start(params string[] args)
    {
        ProcessStartInfo start = new("dotnet", [Path.Combine(AppContext.BaseDirectory, "channelserver.dll"), "--statsd_host=", .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        return Process.Start(start)!;
    }

    private static string EventOf(string line)
    {
        using var document = JsonDocument.Parse(line);
        return document.RootElement.GetProperty("Fields").GetProperty("event").GetString()!;
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int Kill(int process, int signal);
}
