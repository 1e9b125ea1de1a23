using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Bench;

/// <summary>A server under measurement, pinned to one core, and what the kernel knows of its use of time and memory.</summary>
internal sealed class ServerProcess : IDisposable
{
    private readonly Process _process;
    private readonly string _proc;

    private ServerProcess(ServerSpec spec, int port, int heartbeat, int core)
    {
        Spec = spec;
        Port = port;
        // Each of these becomes the next by exec, so the process id is the server's. Whatever ends this program ends the server.
        ProcessStartInfo start = new("setpriv", ["--pdeathsig", "KILL", "taskset", "-c", core.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string word in spec.Command)
        {
            start.ArgumentList.Add(word
                .Replace("{port}", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
                .Replace("{heartbeat}", heartbeat.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        }
        foreach ((string name, string value) in spec.Environment ?? [])
            start.Environment[name] = value;
        _process = Process.Start(start)!;
        _proc = string.Create(CultureInfo.InvariantCulture, $"/proc/{_process.Id}");
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, line) => LastError = line.Data ?? LastError;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public ServerSpec Spec { get; }
    public int Port { get; }

    private string LastError { get; set; } = "";

    /// <summary>Starts a server and waits until it accepts connections.</summary>
    public static ServerProcess Start(ServerSpec spec, int port, int heartbeat, int core)
    {
        ServerProcess server = new(spec, port, heartbeat, core);
        long until = Environment.TickCount64 + 20_000;
        while (true)
        {
            if (server._process.HasExited)
            {
                server._process.WaitForExit(); // until its last words are read, too
                throw new LoadFailureException($"{spec.Name} ended: {server.LastError}");
            }
            try
            {
                using TcpClient probe = new();
                probe.Connect(IPAddress.Loopback, port);
                return server;
            }
            catch (SocketException)
            {
                if (Environment.TickCount64 > until)
                    throw new LoadFailureException($"{spec.Name} accepts no connections: {server.LastError}");
                Thread.Sleep(20);
            }
        }
    }

    /// <summary>What the server has used so far.</summary>
    public CpuReading ReadCpu()
    {
        Dictionary<int, long> threads = [];
        foreach (string directory in Directory.GetDirectories(_proc + "/task"))
        {
            try
            {
                // The first of three numbers: nanoseconds on a core.
                string text = File.ReadAllText(directory + "/schedstat");
                threads[int.Parse(Path.GetFileName(directory), CultureInfo.InvariantCulture)] =
                    long.Parse(text.AsSpan(0, text.IndexOf(' ', StringComparison.Ordinal)), CultureInfo.InvariantCulture);
            }
            catch (IOException)
            {
                // The thread ended between the listing and the reading; see CpuReading.Since.
            }
        }
        string stat = File.ReadAllText(_proc + "/stat");
        // Past the command, which may hold spaces: utime and stime are fields 14 and 15, in ticks of 10 ms, exited threads included.
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        long ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        return new CpuReading(threads, ticks * 10_000_000);
    }

    /// <summary>
    /// Octets of user-space memory: the proportional set size of smaps (proc_pid_smaps(5)), but files that the generator maps too
    /// count in full. The .NET runtime is such a file, and without the generator nobody would share its pages.
    /// </summary>
    public long ReadPss()
    {
        HashSet<string> own = [.. File.ReadLines("/proc/self/maps").Select(FileOf).Where(static file => file.Length > 0)];
        bool shared = false;
        long kibibytes = 0;
        foreach (string line in File.ReadLines(_proc + "/smaps"))
        {
            if (!char.IsAsciiLetterUpper(line[0])) // a mapping's first line: addresses are lower-case hexadecimal
                shared = own.Contains(FileOf(line));
            else if (line.StartsWith(shared ? "Rss:" : "Pss:", StringComparison.Ordinal))
                kibibytes += long.Parse(line.AsSpan(4, line.Length - 4 - " kB".Length), NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture);
        }
        return kibibytes * 1024;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static string FileOf(string mapping)
    {
        int path = mapping.IndexOf('/', StringComparison.Ordinal);
        return path < 0 ? "" : mapping[path..];
    }
}

/// <summary>Time on a core: by thread in nanoseconds, and of all threads that ever were, in steps of 10 ms.</summary>
internal sealed record CpuReading(Dictionary<int, long> Threads, long Coarse)
{
    /// <summary>Nanoseconds since an earlier reading. Exact, unless a thread ended meanwhile and took its figure with it.</summary>
    public long Since(CpuReading earlier)
    {
        if (earlier.Threads.Keys.Any(thread => !Threads.ContainsKey(thread)))
            return Coarse - earlier.Coarse;
        return Threads.Sum(thread => thread.Value - earlier.Threads.GetValueOrDefault(thread.Key));
    }
}
