using System.Net;
using ChannelServer.Relay;
using ChannelServer.Transport.Linux;
using ChannelServer.WebSockets;

namespace ChannelServer.Echo;

/// <summary>One thread over the Linux engine's sockets: its listener, its epoll, its system calls.</summary>
internal sealed class EpollEcho : EchoServer
{
    private const ulong ListenerKey = 0;
    private const ulong BellKey = 1;
    private const int EventsPerTurn = 256;

    private readonly Epoll _epoll = new(EventsPerTurn);
    private readonly Listener _listener;
    private readonly int _bell = LibC.EventFd();
    private readonly FrameLimits _limits;
    private readonly Dictionary<ulong, Connection> _connections = [];
    private readonly byte[] _input = GC.AllocateUninitializedArray<byte>(64 * 1024, pinned: true);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _nextKey = BellKey + 1;
    private volatile bool _isStopping;

    public EpollEcho(IPEndPoint endPoint, FrameLimits limits)
    {
        _limits = limits;
        _listener = Listener.Open(endPoint);
        _epoll.Add(_listener.Fd, LibC.EPOLLIN, ListenerKey);
        _epoll.Add(_bell, LibC.EPOLLIN, BellKey);
        new Thread(Run) { Name = "echo", IsBackground = true }.Start();
    }

    public override IPEndPoint EndPoint => _listener.EndPoint;

    public override async ValueTask DisposeAsync()
    {
        _isStopping = true;
        _ = LibC.Ring(_bell);
        await _stopped.Task;
    }

    private void Run()
    {
        while (!_isStopping)
        {
            int ready = _epoll.Wait(100);
            for (int i = 0; i < ready; i++)
            {
                (ulong key, uint events) = _epoll[i];
                if (key == ListenerKey)
                    Accept();
                else if (_connections.TryGetValue(key, out Connection? connection))
                    Serve(connection, (events & LibC.EPOLLOUT) != 0);
            }
            foreach (Connection late in _connections.Values.Where(connection => connection.EndsBy < Environment.TickCount64).ToList())
                Close(late);
        }
        foreach (Connection connection in _connections.Values.ToList())
            Close(connection);
        _listener.Dispose();
        _ = LibC.Close(_bell);
        _epoll.Dispose();
        _stopped.SetResult();
    }

    private void Accept()
    {
        int fd;
        while ((fd = LibC.Accept(_listener.Fd, out _)) >= 0)
        {
            Connection connection = new(fd, _nextKey++, new EchoSession(_limits));
            _connections.Add(connection.Key, connection);
            _epoll.Add(fd, LibC.EPOLLIN, connection.Key);
        }
    }

    private void Serve(Connection connection, bool hasRoom)
    {
        EchoSession session = connection.Session;
        if (!hasRoom)
        {
            int received = LibC.Receive(connection.Fd, _input);
            if (received > 0)
                session.Receive(_input.AsSpan(0, received));
            else if (received == 0)
                session.EndInput();
            else if (received != -LibC.EAGAIN)
                session.Finish();
        }
        while (!session.Unsent.IsEmpty && session.Phase != SessionPhase.Finished)
        {
            int sent = LibC.Send(connection.Fd, session.Unsent);
            if (sent == -LibC.EAGAIN)
                break;
            if (sent < 0)
                session.Finish();
            else
                session.Sent(sent);
        }
        if (session.Phase == SessionPhase.Finished)
        {
            Close(connection);
            return;
        }
        // As long as the client does not read, it is not read from.
        _epoll.Modify(connection.Fd, session.Unsent.IsEmpty ? LibC.EPOLLIN : LibC.EPOLLOUT, connection.Key);
        if (session.Phase == SessionPhase.Open)
            return;
        if (connection.EndsBy == long.MaxValue)
            connection.EndsBy = Environment.TickCount64 + (long)CloseTimeout.TotalMilliseconds;
        if (session.Phase == SessionPhase.Lingering && session.Unsent.IsEmpty)
            _ = LibC.Shutdown(connection.Fd, LibC.SHUT_WR);
    }

    private void Close(Connection connection)
    {
        connection.Session.Finish();
        _connections.Remove(connection.Key);
        _ = LibC.Close(connection.Fd);
    }

    private sealed record Connection(int Fd, ulong Key, EchoSession Session)
    {
        /// <summary>When it is cut, in milliseconds; known once its end has begun.</summary>
        public long EndsBy { get; set; } = long.MaxValue;
    }
}
