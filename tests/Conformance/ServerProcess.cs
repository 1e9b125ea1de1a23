using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ChannelServer.Conformance;

/// <summary>
/// The server as a process of its own, on a port of its own. <c>CHANNEL_SERVER_COMMAND</c> names another command to start
/// (a program and its first arguments, parted by blanks); <c>CHANNEL_SERVER_ENGINE</c> adds <c>--engine</c>.
/// </summary>
public sealed partial class ServerProcess : IAsyncDisposable
{
    public const int Sighup = 1;
    public const int Sigint = 2;
    public const int Sigterm = 15;

    /// <summary>Starting includes just-in-time compilation, perhaps of many servers at once on a machine with few cores.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(120);

    private const int Ports = 10;

    // Below the range from which the system takes the source ports of clients, so that none of ours is in the way.
    private static int _lastPort = Random.Shared.Next(12000, 28000);

    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _errors;

    private ServerProcess(Process process, int port)
    {
        _process = process;
        Port = port;
        _output = process.StandardOutput.ReadToEndAsync();
        _errors = process.StandardError.ReadToEndAsync();
    }

    public int Port { get; }

    /// <summary>Starts a server and waits until it answers.</summary>
    public static Task<ServerUnderTest> StartAsync(params string[] settings) => StartAsync(null, settings);

    /// <summary>Starts a server that may have only so many descriptors, and waits until it answers.</summary>
    public static Task<ServerUnderTest> StartWithDescriptorsAsync(int descriptors, params string[] settings) => StartAsync(descriptors, settings);

    private static async Task<ServerUnderTest> StartAsync(int? descriptors, string[] settings)
    {
        ServerUnderTest.RequireOwnProcess("a server process of its own");
        for (int tried = 1; ; tried++)
        {
            int port = FreePort();
            ServerProcess server = Launch(["--hostname=127.0.0.1", .. settings, $"--port={port}"], port, descriptors);
            // The tests of IPv6 name another address; it listens on IPv4 too.
            IPEndPoint address = new(IPAddress.Loopback, port);
            if (await server.IsUpAsync(address))
                return new ServerUnderTest(address, server);
            Outcome outcome = await server.EndAsync(kill: true);
            await server.DisposeAsync();
            // Somebody may have taken the port since it was found free.
            if (tried == Ports || !outcome.Errors.Contains("the port is in use", StringComparison.Ordinal))
                throw new InvalidOperationException($"The server did not start. {outcome}");
        }
    }

    /// <summary>Waits until it answers; false if it ends, or takes too long.</summary>
    private async Task<bool> IsUpAsync(IPEndPoint address)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (!_process.HasExited && waited.Elapsed < _patience)
        {
            // Whoever has taken its port may answer too.
            if (await AnswersAsync(address))
                return !_process.HasExited;
            await Task.Delay(20, CancellationToken.None);
        }
        return false;
    }

    /// <summary>Runs a server that is expected to end by itself.</summary>
    public static async Task<Outcome> RunAsync(string[] arguments, params (string Name, string Value)[] environment)
    {
        ServerUnderTest.RequireOwnProcess("a server process of its own");
        await using ServerProcess server = Launch(arguments, 0, null, environment);
        return await server.EndAsync(kill: false);
    }

    public static int FreePort()
    {
        while (true)
        {
            int port = Interlocked.Increment(ref _lastPort);
            using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Any, port));
                return port;
            }
            catch (SocketException taken) when (taken.SocketErrorCode is SocketError.AddressAlreadyInUse)
            {
                continue;
            }
        }
    }

    public void Signal(int signal) => Assert.Equal(0, Kill(_process.Id, signal));

    /// <summary>Waits for the end of the process.</summary>
    public Task<Outcome> EndedAsync() => EndAsync(kill: false);

    /// <summary>Sends signals, one each millisecond, until the process is gone.</summary>
    public async Task<Outcome> SignalUntilEndedAsync(params int[] signals)
    {
        for (int i = 0; !_process.HasExited; i++)
        {
            _ = Kill(_process.Id, signals[i % signals.Length]);
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
        return await EndAsync(kill: false);
    }

    /// <summary>Stops a server that has served its tests, and looks whether it is well.</summary>
    public async Task<Outcome> StopAsync()
    {
        Assert.False(_process.HasExited, "The server ended by itself.");
        Signal(Sigterm);
        Outcome outcome = await EndAsync(kill: false);
        Assert.True(outcome.Status == 0, $"Expected exit status 0. {outcome}");
        Assert.DoesNotContain("Exception", outcome.Output + outcome.Errors, StringComparison.Ordinal);
        return outcome;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            await EndAsync(kill: true);
        _process.Dispose();
    }

    private static ServerProcess Launch(string[] arguments, int port, int? descriptors, params (string Name, string Value)[] environment)
    {
        string[] command = Environment.GetEnvironmentVariable("CHANNEL_SERVER_COMMAND") is { Length: > 0 } given
            ? given.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            : ["dotnet", Path.Combine(Repository.Root, "src/ChannelServer/bin", Repository.Configuration, "net10.0/channelserver.dll")];
        if (IgnoresSigint())
            command = ["env", "--default-signal=INT", .. command];
        if (descriptors is not null)
            command = ["prlimit", string.Create(CultureInfo.InvariantCulture, $"--nofile={descriptors}"), .. command];
        string[] engine = Environment.GetEnvironmentVariable("CHANNEL_SERVER_ENGINE") is { Length: > 0 } name ? [$"--engine={name}"] : [];
        ProcessStartInfo start = new(command[0], [.. command[1..], .. engine, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        // Settings of the person who runs the tests must not leak into them.
        foreach (string key in start.Environment.Keys.Where(key => key.StartsWith("PAIR_", StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(key);
        foreach ((string key, string value) in environment)
            start.Environment[key] = value;
        return new ServerProcess(Process.Start(start)!, port);
    }

    /// <summary>
    /// Whether this process was told to ignore SIGINT, as a shell without job control tells whatever it starts in the background. A server
    /// inherits that, and abides by it.
    /// </summary>
    private static bool IgnoresSigint()
    {
        const string SigIgn = "SigIgn:";
        if (!OperatingSystem.IsLinux() || File.ReadLines("/proc/self/status").FirstOrDefault(line => line.StartsWith(SigIgn, StringComparison.Ordinal)) is not { } line)
            return false;
        ulong ignored = ulong.Parse(line.AsSpan(SigIgn.Length).Trim(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return (ignored >> (Sigint - 1) & 1) != 0;
    }

    /// <summary>Whether a request gets an answer. A connection alone proves little: a server may look whether its port is free.</summary>
    private static async Task<bool> AnswersAsync(IPEndPoint address)
    {
        using Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(address);
            await socket.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\nConnection: close\r\n\r\n"u8.ToArray());
            return await socket.ReceiveAsync(new byte[1]) > 0;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private async Task<Outcome> EndAsync(bool kill)
    {
        Stopwatch waited = Stopwatch.StartNew();
        if (kill)
            _process.Kill();
        using CancellationTokenSource deadline = new(_patience);
        try
        {
            await _process.WaitForExitAsync(deadline.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            throw new TimeoutException($"The server did not end within {_patience.TotalSeconds} s.\n{await _output}{await _errors}");
        }
        return new Outcome(_process.ExitCode, await _output, await _errors, waited.Elapsed);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);

    /// <summary>How a process ended.</summary>
    /// <param name="Waited">Since the end was awaited.</param>
    public sealed record Outcome(int Status, string Output, string Errors, TimeSpan Waited)
    {
        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture, $"Exit status {Status}, output:\n{Output}\nerrors:\n{Errors}");
    }
}
