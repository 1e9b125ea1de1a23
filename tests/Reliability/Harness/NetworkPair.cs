using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace ChannelServer.Reliability.Harness;

/// <summary>
/// Two network namespaces of the test's own with one cable between them: the server lives in one, the clients whose packets are lost in the
/// other. Nothing outside the two is touched.
/// </summary>
internal sealed partial class NetworkPair : IDisposable
{
    private const int CloneNewNet = 0x40000000;

    private static int _last;

    private readonly string _server;
    private readonly string _client;

    private NetworkPair(string server, string client)
    {
        _server = server;
        _client = client;
    }

    public IPAddress ServerAddress { get; } = IPAddress.Parse("10.213.77.1");

    public IPAddress ClientAddress { get; } = IPAddress.Parse("10.213.77.2");

    /// <summary>The command that starts a program beside the server's end.</summary>
    public string[] ServerPrefix => ["ip", "netns", "exec", _server];

    /// <summary>Makes the two, or skips the test where that is not permitted.</summary>
    public static NetworkPair Create()
    {
        Effort.Require(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "network namespaces need root");
        string name = $"cs{Environment.ProcessId}x{Interlocked.Increment(ref _last)}";
        NetworkPair pair = new($"{name}s", $"{name}c");
        try
        {
            Effort.Require(TryRun("ip", "netns", "add", pair._server) && TryRun("ip", "netns", "add", pair._client), "network namespaces");
            Effort.Require(TryRun([.. pair.ServerPrefix, "true"]), "programs in network namespaces");
            Effort.Require(
                TryRun("ip", "link", "add", "cs0", "netns", pair._server, "type", "veth", "peer", "name", "cs0", "netns", pair._client), "veth");
            foreach ((string side, string address) in ((string, string)[])[(pair._server, "10.213.77.1/24"), (pair._client, "10.213.77.2/24")])
            {
                Run("ip", "-n", side, "addr", "add", address, "dev", "cs0");
                Run("ip", "-n", side, "link", "set", "cs0", "up");
                Run("ip", "-n", side, "link", "set", "lo", "up");
            }
            return pair;
        }
        catch
        {
            pair.Dispose();
            throw;
        }
    }

    /// <summary>From now on the cable loses packets in both directions, TCP's own retransmissions included.</summary>
    /// <param name="percent">How many of a hundred; 100 is a cut cable that nobody has noticed.</param>
    public void Drop(int percent)
    {
        Effort.Require(TryRun("ip", "netns", "exec", _client, "nft", "add", "table", "ip", "faults"), "nft");
        foreach (string hook in (string[])["input", "output"])
        {
            Run("ip", "netns", "exec", _client, "nft", $"add chain ip faults {hook} {{ type filter hook {hook} priority 0; }}");
            string chance = percent == 100 ? "" : $"numgen random mod 100 < {percent} ";
            Effort.Require(TryRun("ip", "netns", "exec", _client, "nft", $"add rule ip faults {hook} {chance}drop"), "nft numgen");
        }
    }

    /// <summary>Makes the cable slow, in both directions.</summary>
    public void Slow(string rate)
    {
        foreach (string side in (string[])[_server, _client])
        {
            Effort.Require(
                TryRun("tc", "-n", side, "qdisc", "add", "dev", "cs0", "root", "tbf", "rate", rate, "burst", "4kb", "latency", "2s"), "tc tbf");
        }
    }

    public Socket NewServerSocket(AddressFamily family, SocketType type) => NewSocket(_server, family, type);

    /// <param name="type">A raw one gets a copy of every TCP packet that arrives.</param>
    public Socket NewClientSocket(SocketType type = SocketType.Stream) => NewSocket(_client, AddressFamily.InterNetwork, type);

    public void Dispose()
    {
        // With the namespace go its end of the cable, its rules and its addresses.
        _ = TryRun("ip", "netns", "del", _client);
        _ = TryRun("ip", "netns", "del", _server);
    }

    /// <summary>A socket belongs for ever to the namespace of the thread that makes it; that thread is used for nothing else.</summary>
    private static Socket NewSocket(string name, AddressFamily family, SocketType type)
    {
        Socket? socket = null;
        Exception? fault = null;
        Thread thread = new(() =>
        {
            try
            {
                using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle($"/var/run/netns/{name}");
                if (SetNamespace((int)file.DangerousGetHandle(), CloneNewNet) != 0)
                    throw new InvalidOperationException($"setns: {Marshal.GetLastPInvokeErrorMessage()}");
                socket = new Socket(family, type, type == SocketType.Raw ? ProtocolType.Tcp : ProtocolType.Unspecified);
            }
#pragma warning disable CA1031 // Thrown again on the caller's thread.
            catch (Exception any)
#pragma warning restore CA1031
            {
                fault = any;
            }
        });
        thread.Start();
        thread.Join();
        return socket ?? throw new InvalidOperationException($"No socket in {name}.", fault);
    }

    private static void Run(params string[] command)
    {
        if (!TryRun(command))
            throw new InvalidOperationException($"Failed: {string.Join(' ', command)}");
    }

    private static bool TryRun(params string[] command)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetNamespace(int descriptor, int kind);
}
