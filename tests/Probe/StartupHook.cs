using System.Globalization;
using System.Net.Sockets;
using System.Text;

/// <summary>
/// What cannot be seen from outside a process: how much its heap holds after a collection. The runtime calls this before the server's own code, in
/// the processes of the reliability tests alone, which name it in <c>DOTNET_STARTUP_HOOKS</c>. Both names are the runtime's.
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

    /// <summary>Who connects is told the octets that live.</summary>
    private static void Answer(Socket listener)
    {
        while (true)
        {
            using Socket asker = listener.Accept();
            for (int i = 0; i < 2; i++)
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                GC.WaitForPendingFinalizers();
            }
            string live = GC.GetTotalMemory(forceFullCollection: false).ToString(CultureInfo.InvariantCulture);
            asker.Send(Encoding.ASCII.GetBytes(live));
        }
    }
}
