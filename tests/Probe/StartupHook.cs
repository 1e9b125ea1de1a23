using System.Globalization;
using System.Net.Sockets;
using System.Text;

/// <summary>
/// What cannot be seen from outside a process: how much its heap holds after a collection, and whether the server has collected by itself. The runtime
/// calls this before the server's own code, in the processes of the reliability tests alone, which name it in <c>DOTNET_STARTUP_HOOKS</c>. The names of
/// the class and the method are the runtime's.
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

    /// <summary>Who connects and says "live" is told the octets that live, after a collection; who says anything else, how many full collections there were.</summary>
    private static void Answer(Socket listener)
    {
        byte[] question = new byte[4];
        while (true)
        {
            using Socket asker = listener.Accept();
            int length = asker.Receive(question);
            long answer = "live"u8.SequenceEqual(question.AsSpan(0, length)) ? CollectAndMeasure() : GC.CollectionCount(GC.MaxGeneration);
            asker.Send(Encoding.ASCII.GetBytes(answer.ToString(CultureInfo.InvariantCulture)));
        }
    }

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
