using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Clients;

/// <summary>How a connection is cut.</summary>
internal enum CutKind
{
    Reset,
    EndOfStream,

    /// <summary>Both directions swallow what comes, and nobody is told.</summary>
    Stall,
}

/// <summary>Where a connection is cut: behind so many octets of one direction.</summary>
internal readonly record struct Cut(long Up, long Down, CutKind Kind)
{
    public static Cut Never { get; } = new(long.MaxValue, long.MaxValue, CutKind.Reset);
}

/// <summary>A TCP proxy on loopback that cuts connections at chosen octets.</summary>
internal sealed class CuttingProxy : IAsyncDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Lock _gate = new();
    private readonly HashSet<Carried> _open = [];
    private readonly Task _accepting;
    private int _connections;
    private int _cuts;

    public CuttingProxy(IPEndPoint target)
    {
        Target = target;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Url = new Uri($"ws://{_listener.LocalEndPoint}");
        _accepting = AcceptAsync();
    }

    public Uri Url { get; }

    /// <summary>Where new connections lead.</summary>
    public IPEndPoint Target { get; set; }

    /// <summary>What happens to each connection, by its number from 0; null resets it at once.</summary>
    public Func<int, Cut?> Plan { get; set; } = _ => Cut.Never;

    public int Connections => Volatile.Read(ref _connections);

    public int Cuts => Volatile.Read(ref _cuts);

    /// <summary>Cuts each connection somewhere below a number of octets, in either direction, as a seed determines.</summary>
    public static Func<int, Cut?> Anywhere(int seed, int below) => number =>
    {
        Random random = new(seed * 7919 + number);
        int at = random.Next(below);
        CutKind kind = random.Next(2) == 0 ? CutKind.Reset : CutKind.EndOfStream;
        return random.Next(5) < 2 ? new Cut(at, long.MaxValue, kind) : new Cut(long.MaxValue, at, kind);
    };

    /// <summary>Cuts all connections that there are.</summary>
    public void CutAll(CutKind kind = CutKind.Reset)
    {
        Carried[] open;
        lock (_gate)
            open = [.. _open];
        foreach (Carried connection in open)
            End(connection, kind);
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        Carried[] open;
        lock (_gate)
            open = [.. _open];
        foreach (Carried connection in open)
            connection.Close(CutKind.Reset);
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptAsync();
            }
            catch (Exception stopped) when (stopped is SocketException or ObjectDisposedException)
            {
                return;
            }
            _ = CarryAsync(client, Plan(Interlocked.Increment(ref _connections) - 1));
        }
    }

    private async Task CarryAsync(Socket client, Cut? cut)
    {
        if (cut is not { } chosen)
        {
            client.Close(0);
            return;
        }
        Socket server = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.NoDelay = true;
        Carried connection = new(client, server);
        try
        {
            await server.ConnectAsync(Target);
        }
        catch (SocketException)
        {
            connection.Close(CutKind.Reset);
            return;
        }
        lock (_gate)
            _open.Add(connection);
        await Task.WhenAll(
            CarryAsync(connection, client, server, chosen.Up, chosen.Kind), CarryAsync(connection, server, client, chosen.Down, chosen.Kind));
        lock (_gate)
            _open.Remove(connection);
        connection.Close(CutKind.EndOfStream);
    }

    private async Task CarryAsync(Carried connection, Socket from, Socket to, long limit, CutKind kind)
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and int octets)
            {
                if (connection.Stalled)
                    continue;
                int part = (int)Math.Min(octets, limit);
                await to.SendAsync(buffer.AsMemory(0, part));
                limit -= part;
                if (limit == 0)
                    End(connection, kind);
            }
            if (!connection.Stalled)
                to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception over) when (over is SocketException or ObjectDisposedException)
        {
            connection.Close(CutKind.Reset);
        }
    }

    private void End(Carried connection, CutKind kind)
    {
        Interlocked.Increment(ref _cuts);
        connection.Close(kind);
    }

    private sealed class Carried(Socket client, Socket server)
    {
        private volatile bool _stalled;

        public bool Stalled => _stalled;

        public void Close(CutKind kind)
        {
            if (kind == CutKind.Stall)
            {
                _stalled = true;
                return;
            }
            foreach (Socket socket in (Socket[])[client, server])
            {
                if (kind == CutKind.Reset)
                    socket.Close(0);
                else
                    socket.Dispose();
            }
        }
    }
}
