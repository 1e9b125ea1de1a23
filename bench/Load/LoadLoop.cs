using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using ChannelServer.Transport.Linux;

namespace ChannelServer.Bench;

/// <summary>
/// The generator's engine: any number of WebSocket clients on one thread and one epoll. What a connection is to send in answer to
/// one read leaves in one send, as a browser's pongs and messages would.
/// </summary>
internal sealed class LoadLoop(int port) : IDisposable
{
    // One source address has 28,232 ports by default (ip_local_port_range); used ones rest for a minute.
    private const int ConnectionsPerSource = 20_000;
    private const int Sources = 200;

    private readonly Epoll _epoll = new(512);
    private readonly byte[] _input = new byte[256 * 1024];
    private readonly byte[] _output = new byte[256 * 1024];
    private readonly List<Connection?> _connections = [];
    private readonly Stack<int> _freeSlots = new();
    private readonly Upgrade _upgrade = new(port);
    private readonly SockAddr _server = new(IPAddress.Loopback, port);
    private uint _generation;
    private long _opened;
    private Connection? _reading;
    private int _outputLength;

    /// <summary>Who hears what happens.</summary>
    public Scenario? Scenario { get; set; }

    /// <summary>Pings of the server that were answered.</summary>
    public long Pings { get; private set; }

    /// <summary>Connections that are not closed.</summary>
    public int Live => _connections.Count - _freeSlots.Count;

    /// <summary>Opens a connection; the scenario hears of it when its greeting is there.</summary>
    public Connection Open(Pair pair, ReadOnlySpan<byte> path)
    {
        int fd = Check(LibC.Socket(LibC.AF_INET), "socket");
        Check(LibC.SetOption(fd, LibC.IPPROTO_TCP, LibC.TCP_NODELAY, 1), "TCP_NODELAY");
        int source = (int)(_opened++ / ConnectionsPerSource % Sources);
        if (source > 0)
        {
            Check(LibC.SetOption(fd, LibC.IPPROTO_IP, LibC.IP_BIND_ADDRESS_NO_PORT, 1), "IP_BIND_ADDRESS_NO_PORT");
            SockAddr from = new(new IPAddress([127, 0, 0, (byte)(1 + source)]), 0);
            Check(LibC.Bind(fd, in from), "bind");
        }
        int connected = LibC.Connect(fd, in _server);
        if (connected != -LibC.EINPROGRESS)
            Check(connected, "connect");

        if (!_freeSlots.TryPop(out int slot))
        {
            slot = _connections.Count;
            _connections.Add(null);
        }
        Connection connection = new(slot, ++_generation, fd, pair);
        _connections[slot] = connection;
        Check(_epoll.Add(fd, LibC.EPOLLIN, KeyOf(connection)), "epoll_ctl");
        // Over loopback the handshake is usually done by now; if not, the request waits for the socket to become writable.
        SendNow(connection, _upgrade.Request(path));
        return connection;
    }

    /// <summary>Sends bytes that are a whole frame or more.</summary>
    public void Send(Connection connection, ReadOnlySpan<byte> bytes)
    {
        if (connection == _reading && _outputLength + bytes.Length <= _output.Length)
        {
            bytes.CopyTo(_output.AsSpan(_outputLength));
            _outputLength += bytes.Length;
            return;
        }
        if (connection == _reading)
            FlushReading();
        SendNow(connection, bytes);
    }

    /// <summary>Begins the close handshake from this side.</summary>
    public void Close(Connection connection)
    {
        if (connection.State != ConnectionState.Open)
            return;
        connection.State = ConnectionState.Closing;
        Send(connection, ClientFrame.NormalClose);
    }

    /// <summary>Closes every connection with its handshake and waits for all of them.</summary>
    public void CloseAll()
    {
        int sinceTurn = 0;
        foreach (Connection? connection in _connections.ToArray())
        {
            if (connection is null)
                continue;
            Close(connection);
            if (++sinceTurn % 256 == 0)
                Turn(0);
        }
        RunUntil(() => Live == 0, TimeSpan.FromSeconds(20), "closing");
    }

    /// <summary>Runs until the condition holds; failing to get there in time is the server's failure.</summary>
    public void RunUntil(Func<bool> done, TimeSpan limit, string what)
    {
        long until = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (!done())
        {
            if (Environment.TickCount64 > until)
                throw new LoadFailureException(string.Create(CultureInfo.InvariantCulture, $"{what}: not done after {limit.TotalSeconds} s"));
            Turn(10);
        }
    }

    /// <summary>Waits for events once and handles them all.</summary>
    public void Turn(int timeoutMilliseconds)
    {
        int ready = Check(_epoll.Wait(timeoutMilliseconds), "epoll_wait");
        for (int i = 0; i < ready; i++)
        {
            (ulong key, uint events) = _epoll[i];
            Connection? connection = _connections[(int)(uint)key];
            if (connection is null || connection.Generation != (uint)(key >> 32))
                continue;
            if ((events & LibC.EPOLLOUT) != 0)
                Writable(connection);
            if ((events & ~LibC.EPOLLOUT) != 0)
                Readable(connection);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Connection? connection in _connections)
        {
            if (connection is null)
                continue;
            _ = LibC.ResetOnClose(connection.Fd);
            _ = LibC.Close(connection.Fd);
        }
        _epoll.Dispose();
    }

    private static ulong KeyOf(Connection connection) => (ulong)connection.Generation << 32 | (uint)connection.Slot;

    private static int Check(int result, string what) => result >= 0
        ? result
        : throw new LoadFailureException($"{what}: {Marshal.GetPInvokeErrorMessage(-result)}");

    private void Readable(Connection connection)
    {
        int length = connection.RestLength;
        int received = LibC.Receive(connection.Fd, _input.AsSpan(length));
        if (received == -LibC.EAGAIN)
            return;
        if (received <= 0)
        {
            Ended(connection, received);
            return;
        }
        connection.Rest.AsSpan(0, length).CopyTo(_input);
        length += received;

        _reading = connection;
        int used = Take(connection, _input.AsSpan(0, length));
        FlushReading();
        _reading = null;

        int rest = length - used;
        if (rest > connection.Rest.Length)
            connection.Rest = new byte[rest * 2];
        _input.AsSpan(used, rest).CopyTo(connection.Rest);
        connection.RestLength = rest;
        if (rest == 0 && connection.Rest.Length > 0)
            connection.Rest = [];
    }

    private int Take(Connection connection, ReadOnlySpan<byte> bytes)
    {
        int used = 0;
        if (connection.State == ConnectionState.Upgrading)
        {
            used = Upgrade.AcceptedBy(bytes);
            if (used == 0)
                return 0;
            connection.State = ConnectionState.AwaitingGreeting;
        }
        while (ClientFrame.TryRead(bytes[used..], out int opcode, out int header, out int length))
        {
            Handle(connection, opcode, bytes.Slice(used + header, length));
            used += header + length;
        }
        return used;
    }

    private void Handle(Connection connection, int opcode, ReadOnlySpan<byte> payload)
    {
        switch (opcode)
        {
            case ClientFrame.Text when connection.State == ConnectionState.AwaitingGreeting:
                connection.State = ConnectionState.Open;
                Scenario!.Opened(connection, payload);
                break;
            case ClientFrame.Text:
                Scenario!.Received(connection, payload);
                break;
            case ClientFrame.Ping:
                Pings++;
                if (connection.State == ConnectionState.Open)
                {
                    Span<byte> pong = stackalloc byte[ClientFrame.MaxHeader + 125];
                    Send(connection, pong[..ClientFrame.Write(pong, ClientFrame.Pong, payload)]);
                }
                break;
            case ClientFrame.Close when connection.State == ConnectionState.Closing:
                connection.State = ConnectionState.CloseEchoed;
                break;
            default:
                throw new LoadFailureException(string.Create(CultureInfo.InvariantCulture,
                    $"a frame with opcode {opcode} and payload {Convert.ToHexString(payload[..Math.Min(payload.Length, 32)])} to a connection that was {connection.State}"));
        }
    }

    private void Ended(Connection connection, int result)
    {
        if (connection.State != ConnectionState.CloseEchoed)
        {
            string how = result == 0 ? "end of stream" : Marshal.GetPInvokeErrorMessage(-result);
            throw new LoadFailureException($"{how} on a connection that was {connection.State}");
        }
        connection.State = ConnectionState.Closed;
        _ = LibC.Close(connection.Fd);
        _connections[connection.Slot] = null;
        _freeSlots.Push(connection.Slot);
        Scenario?.Closed(connection);
    }

    private void Writable(Connection connection)
    {
        int pending = connection.PendingLength;
        if (!connection.Blocked || pending == 0)
            return;
        int sent = LibC.Send(connection.Fd, connection.Pending.AsSpan(0, pending));
        if (sent == -LibC.EAGAIN)
            return;
        Check(sent, "send");
        connection.Pending.AsSpan(sent, pending - sent).CopyTo(connection.Pending);
        connection.PendingLength = pending - sent;
        if (connection.PendingLength > 0)
            return;
        connection.Blocked = false;
        Check(_epoll.Modify(connection.Fd, LibC.EPOLLIN, KeyOf(connection)), "epoll_ctl");
    }

    private void FlushReading()
    {
        if (_outputLength == 0)
            return;
        SendNow(_reading!, _output.AsSpan(0, _outputLength));
        _outputLength = 0;
    }

    private void SendNow(Connection connection, ReadOnlySpan<byte> bytes)
    {
        if (!connection.Blocked)
        {
            int sent = LibC.Send(connection.Fd, bytes);
            if (sent == bytes.Length)
                return;
            if (sent < 0 && sent != -LibC.EAGAIN)
                Check(sent, "send");
            bytes = bytes[Math.Max(0, sent)..];
            connection.Blocked = true;
            Check(_epoll.Modify(connection.Fd, LibC.EPOLLIN | LibC.EPOLLOUT, KeyOf(connection)), "epoll_ctl");
        }
        if (connection.PendingLength + bytes.Length > connection.Pending.Length)
        {
            byte[] larger = new byte[(connection.PendingLength + bytes.Length) * 2];
            connection.Pending.AsSpan(0, connection.PendingLength).CopyTo(larger);
            connection.Pending = larger;
        }
        bytes.CopyTo(connection.Pending.AsSpan(connection.PendingLength));
        connection.PendingLength += bytes.Length;
    }
}
