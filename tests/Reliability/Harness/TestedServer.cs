using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using ChannelServer.Conformance;

namespace ChannelServer.Reliability.Harness;

/// <summary>The server as a process that a trial watches from outside.</summary>
internal sealed partial class TestedServer : IAsyncDisposable
{
    private const int Sigterm = 15;
    private const int Sigcont = 18;
    private const int Sigstop = 19;

    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Task _reading;
    private readonly string _probe;

    private TestedServer(Process process, IPEndPoint address, string probe)
    {
        _process = process;
        _probe = probe;
        Address = address;
        Id = process.Id;
        _reading = Task.WhenAll(Log.ReadAsync(process.StandardOutput), Errors.ReadAsync(process.StandardError));
    }

    public IPEndPoint Address { get; }

    public int Id { get; }

    public LogBook Log { get; } = new();

    /// <summary>Standard error, where nothing belongs.</summary>
    public LogBook Errors { get; } = new();

    public bool HasExited => _process.HasExited;

    public int ExitStatus => _process.ExitCode;

    public static TestedServer Start(IPAddress address, TrialOptions options, IEnumerable<string> settings)
    {
        int port = ServerProcess.FreePort();
        string[] engine = Effort.Engine.Length > 0 ? [$"--engine={Effort.Engine}"] : [];
        string[] command =
        [
            .. options.Prefix, "dotnet", options.HasBug ? Output("tests/Probe", "ChannelServer.Probe.dll") : Output("src/ChannelServer", "channelserver.dll"),
            $"--hostname={address}", $"--port={port}", .. engine, .. settings,
        ];
        ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string key in start.Environment.Keys.Where(key => key.StartsWith("PAIR_", StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(key);
        string probe = Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"channelserver-{Environment.ProcessId}-{port}.sock"));
        start.Environment["DOTNET_STARTUP_HOOKS"] = Output("tests/Probe", "ChannelServer.Probe.dll");
        start.Environment["CHANNEL_SERVER_PROBE"] = probe;
        foreach ((string name, string value) in options.Environment)
            start.Environment[name] = value;
        return new TestedServer(Process.Start(start)!, new IPEndPoint(address, port), probe);
    }

    /// <summary>Octets that live on the server's heap, which is collected for this.</summary>
    public Task<long> CollectAsync() => AskAsync("live");

    /// <summary>How often the server's whole heap has been collected.</summary>
    public Task<long> FullCollectionsAsync() => AskAsync("collections");

    /// <summary>How many methods the server has compiled, those that it has compiled anew included.</summary>
    public Task<long> CompiledMethodsAsync() => AskAsync("compiled");

    /// <summary>Stops it as an orchestrator does, and expects that it goes well.</summary>
    public async Task StopAsync()
    {
        RequestStop();
        await EndedAsync();
        Assert.True(ExitStatus == 0, $"Exit status {ExitStatus}. {Tell()}");
    }

    /// <summary>Sends SIGTERM.</summary>
    public void RequestStop()
    {
        Assert.False(HasExited, $"The server ended by itself. {Tell()}");
        Assert.Equal(0, Kill(Id, Sigterm));
    }

    /// <summary>Has it stand still, at any point of what it does; on a busy machine not all of its threads are told at once.</summary>
    public async Task PauseAsync()
    {
        Assert.Equal(0, Kill(Id, Sigstop));
        await Effort.UntilAsync(() => ProcessStatus.IsStopped(Id), _patience, () => "The server goes on.");
    }

    public void Continue() => Assert.Equal(0, Kill(Id, Sigcont));

    public async Task EndedAsync()
    {
        using CancellationTokenSource deadline = new(_patience);
        await _process.WaitForExitAsync(deadline.Token);
        await _reading;
    }

    public string Tell() => string.Join('\n', Log.Lines.TakeLast(20).Concat(Errors.Lines));

    public async ValueTask DisposeAsync()
    {
        if (!HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }
        _process.Dispose();
        File.Delete(_probe);
    }

    private static string Output(string project, string file) => Path.Combine(Repository.Root, project, "bin", Repository.Configuration, "net10.0", file);

    private async Task<long> AskAsync(string question)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_probe));
        await socket.SendAsync(Encoding.ASCII.GetBytes(question));
        byte[] answer = new byte[32];
        using CancellationTokenSource deadline = new(_patience);
        return long.Parse(Encoding.ASCII.GetString(answer, 0, await socket.ReceiveAsync(answer, deadline.Token)), CultureInfo.InvariantCulture);
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);
}
