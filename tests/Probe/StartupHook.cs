using System.Globalization;
using System.Net.Sockets;
using System.Runtime;
using System.Text;

/// <summary>
/// What cannot be seen from outside a process: how much its heap holds after a collection, how often the server has collected by itself, and how much it
/// has compiled. The runtime calls this before the server's own code, in the processes of the reliability tests alone, which name it in
/// <c>DOTNET_STARTUP_HOOKS</c>. The names of the class and the method are the runtime's.
/// </summary>
internal static class StartupHook
{
    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable("CHANNEL_SERVER_PROBE") is not { } path)
            return;
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        new Thread(() => Answer(listener)) { IsBackground = true, Name = "probe" }.Start();
    }

    /// <summary>Who connects and asks is told a number.</summary>
    private static void Answer(Socket listener)
    {
        byte[] question = new byte[16];
        while (true)
        {
            using Socket asker = listener.Accept();
            long answer = Encoding.ASCII.GetString(question, 0, asker.Receive(question)) switch
            {
                "live" => CollectAndMeasure(),
                "collections" => GC.CollectionCount(GC.MaxGeneration),
                "compiled" => JitInfo.GetCompiledMethodCount(),
                string other => throw new InvalidOperationException(other),
            };
            asker.Send(Encoding.ASCII.GetBytes(answer.ToString(CultureInfo.InvariantCulture)));
        }
    }

    /// <summary>Octets that live, after a collection.</summary>
    private static long CollectAndMeasure()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        return GC.GetTotalMemory(forceFullCollection: false);
    }
}
