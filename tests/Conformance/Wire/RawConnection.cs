using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace ChannelServer.Conformance.Wire;

/// <summary>A TCP connection that sends any octets and reads HTTP responses and frames. Every read has a deadline.</summary>
internal sealed class RawConnection : IAsyncDisposable
{
    /// <summary>Long enough for a machine with other work; a server that needs it is broken.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly Socket _socket;
    private byte[] _received = new byte[4096];
    private int _start;
    private int _end;

    private RawConnection(Socket socket) => _socket = socket;

    /// <summary>Octets that the kernel has received and that nobody has read.</summary>
    public int Unread => _socket.Available;

    /// <param name="from">The source address; any of 127.0.0.0/8 makes one machine look like many.</param>
    /// <param name="receiveBuffer">A small one makes a slow reader slow sooner.</param>
    public static async Task<RawConnection> ConnectAsync(IPEndPoint server, IPAddress? from = null, int? receiveBuffer = null)
    {
        Socket socket = new(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (receiveBuffer is { } octets)
            socket.ReceiveBufferSize = octets;
        if (from is not null)
            socket.Bind(new IPEndPoint(from, 0));
        using CancellationTokenSource deadline = Deadline(Patience);
        await socket.ConnectAsync(server, deadline.Token);
        return new RawConnection(socket);
    }

    /// <summary>Connects a socket that was made elsewhere, such as in a network namespace.</summary>
    public static async Task<RawConnection> OverAsync(Socket socket, IPEndPoint server)
    {
        socket.NoDelay = true;
        using CancellationTokenSource deadline = Deadline(Patience);
        await socket.ConnectAsync(server, deadline.Token);
        return new RawConnection(socket);
    }

    public async Task SendAsync(params byte[][] parts)
    {
        using CancellationTokenSource deadline = Deadline(Patience);
        byte[] octets = parts.Length == 1 ? parts[0] : [.. parts.SelectMany(part => part)];
        for (int sent = 0; sent < octets.Length;)
            sent += await _socket.SendAsync(octets.AsMemory(sent), deadline.Token);
    }

    public Task SendAsync(string ascii) => SendAsync(Encoding.Latin1.GetBytes(ascii));

    /// <summary>Sends each octet in a segment of its own.</summary>
    public async Task SendOctetByOctetAsync(byte[] octets)
    {
        foreach (byte octet in octets)
            await SendAsync([octet]);
    }

    /// <summary>Says that nothing more will be sent; reading goes on.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Ends the connection with a reset, as a device that vanishes does.</summary>
    public void Reset() => _socket.Close(0);

    public async Task<HttpResponse> ReadResponseAsync(TimeSpan? within = null)
    {
        using CancellationTokenSource deadline = Deadline(within ?? Patience);
        string head = await ReadThroughAsync("\r\n\r\n", "the head of a response", deadline.Token);
        HttpResponse response = HttpResponse.Parse(head);
        if (response.Status is 101 or 204)
            return response;
        if (response["Content-Length"] is { } length)
            return response with { Body = await ReadTextAsync(int.Parse(length, CultureInfo.InvariantCulture), deadline.Token) };
        if (response["Transfer-Encoding"] is "chunked")
            return response with { Body = await ReadChunksAsync(deadline.Token) };
        return response;
    }

    /// <summary>Reads the next frame of whatever kind.</summary>
    public async Task<Frame> ReadFrameAsync(TimeSpan? within = null)
    {
        using CancellationTokenSource deadline = Deadline(within ?? Patience);
        const string What = "a frame";
        await FillAsync(2, What, deadline.Token);
        Assert.True((_received[_start + 1] & 0x80) == 0, "A server's frame must not be masked.");
        int length = _received[_start + 1];
        int head = length switch { 126 => 4, 127 => 10, _ => 2 };
        await FillAsync(head, What, deadline.Token);
        if (length == 126)
            length = BinaryPrimitives.ReadUInt16BigEndian(_received.AsSpan(_start + 2));
        else if (length == 127)
            length = checked((int)BinaryPrimitives.ReadUInt64BigEndian(_received.AsSpan(_start + 2)));
        await FillAsync(head + length, What, deadline.Token);
        byte[] raw = Take(head + length);
        return new Frame(raw[0], raw[head..], raw);
    }

    /// <summary>The next frame, or null where the stream ends between two frames.</summary>
    public async Task<Frame?> TryReadFrameAsync()
    {
        using CancellationTokenSource deadline = Deadline(Patience);
        return _start == _end && !await TryReceiveAsync("a frame or the end", deadline.Token) ? null : await ReadFrameAsync();
    }

    /// <summary>Reads that many octets, whatever they are.</summary>
    public async Task<byte[]> ReadExactlyAsync(int octets)
    {
        using CancellationTokenSource deadline = Deadline(Patience);
        await FillAsync(octets, $"{octets} octets", deadline.Token);
        return Take(octets);
    }

    /// <summary>All that still comes, whether the stream then ends or is reset.</summary>
    public async Task<byte[]> ReadToEndAsync(TimeSpan within)
    {
        using CancellationTokenSource deadline = Deadline(within);
        try
        {
            while (await TryReceiveAsync("the end of the stream", deadline.Token))
            {
            }
        }
        catch (IOException)
        {
            // What came before the reset counts.
        }
        return Take(_end - _start);
    }

    /// <summary>Expects the server's end of stream: a FIN, not a reset, and nothing before it.</summary>
    public async Task ExpectEndAsync(TimeSpan? within = null)
    {
        using CancellationTokenSource deadline = Deadline(within ?? Patience);
        if (_start == _end && !await TryReceiveAsync("the end of the stream", deadline.Token))
            return;
        Assert.Fail($"Expected the end of the stream, got: {Convert.ToHexStringLower(_received.AsSpan(_start, Math.Min(_end - _start, 200)))}");
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }

    private static CancellationTokenSource Deadline(TimeSpan within)
    {
        CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(within);
        return deadline;
    }

    private async Task FillAsync(int octets, string what, CancellationToken deadline)
    {
        while (_end - _start < octets)
        {
            if (!await TryReceiveAsync(what, deadline))
                Assert.Fail($"The server ended the stream where {what} was expected, after {_end - _start} octets of it.");
        }
    }

    /// <summary>Receives something; false at the end of the stream.</summary>
    private async Task<bool> TryReceiveAsync(string what, CancellationToken deadline)
    {
        if (_start > 0)
        {
            _received.AsSpan(_start, _end - _start).CopyTo(_received);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _received.Length)
            Array.Resize(ref _received, _received.Length * 2);
        try
        {
            int count = await _socket.ReceiveAsync(_received.AsMemory(_end), deadline);
            _end += count;
            return count > 0;
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"Waited in vain for {what}; {_end - _start} octets are there.");
        }
        catch (SocketException reset)
        {
            throw new IOException($"The connection was reset where {what} was expected.", reset);
        }
    }

    private async Task<string> ReadThroughAsync(string end, string what, CancellationToken deadline)
    {
        byte[] mark = Encoding.ASCII.GetBytes(end);
        int at;
        while ((at = _received.AsSpan(_start, _end - _start).IndexOf(mark)) < 0)
            await FillAsync(_end - _start + 1, what, deadline);
        return Encoding.Latin1.GetString(Take(at + mark.Length));
    }

    private async Task<string> ReadChunksAsync(CancellationToken deadline)
    {
        StringBuilder body = new();
        while (true)
        {
            string size = await ReadThroughAsync("\r\n", "a chunk", deadline);
            int octets = int.Parse(size.AsSpan().TrimEnd(), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            body.Append(await ReadTextAsync(octets, deadline));
            await ReadThroughAsync("\r\n", "the end of a chunk", deadline);
            if (octets == 0)
                return body.ToString();
        }
    }

    private async Task<string> ReadTextAsync(int octets, CancellationToken deadline)
    {
        await FillAsync(octets, "a body", deadline);
        return Encoding.UTF8.GetString(Take(octets));
    }

    private byte[] Take(int octets)
    {
        byte[] taken = _received.AsSpan(_start, octets).ToArray();
        _start += octets;
        return taken;
    }
}
