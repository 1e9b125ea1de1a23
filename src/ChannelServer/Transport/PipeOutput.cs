using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace ChannelServer.Transport;

/// <summary>
/// Writes of a connection on pipes, one at a time. Where the connection is a bare socket they go to the socket itself: Kestrel's own writer closes a
/// socket when a write fails, and what the client had sent before its reset, unread as yet, is lost with it. It is also the shorter way.
/// </summary>
/// <param name="connection">The connection.</param>
/// <param name="session">Told, from any thread, when a write that had to wait has ended; then <see cref="TryFinish"/> tells how.</param>
[SuppressMessage("Reliability", "CA2012:Use ValueTasks correctly",
    Justification = "One write at a time, taken exactly once, when it is complete.")]
internal struct PipeOutput(PipeConnection connection, PipeSession session)
{
    /// <summary>
    /// Octets of one write that may have to wait: then they are in memory twice. It is reported as a whole; whoever cannot wait for that asks
    /// <see cref="HasProgressed"/>.
    /// </summary>
    private const int WriteSize = 4096;

    private readonly Socket? _socket = NonBlocking(connection);
    private ConfiguredValueTaskAwaitable<FlushResult>.ConfiguredValueTaskAwaiter _flush;
    private ConfiguredValueTaskAwaitable<int>.ConfiguredValueTaskAwaiter _send;
    private byte[]? _sending;
    private int _writing;
    private ulong _acknowledged;

    /// <summary>Whether a write is under way.</summary>
    public readonly bool IsWriting => _writing > 0;

    /// <summary>Writes the first of the octets.</summary>
    /// <param name="octets">What there is to write; not empty.</param>
    /// <param name="written">Octets that are written; 0 when the write has to wait.</param>
    /// <returns>False when the connection takes nothing any more.</returns>
    public bool TryWrite(ReadOnlySpan<byte> octets, out int written)
    {
        written = 0;
        if (_socket is null)
            return TryFlush(octets[..Math.Min(octets.Length, WriteSize)], out written);
        try
        {
            written = _socket.Send(octets, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success)
                return true;
            written = 0;
            return error == SocketError.WouldBlock && TrySendLater(octets[..Math.Min(octets.Length, WriteSize)], out written);
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Ends a write that had to wait.</summary>
    /// <param name="written">Octets that are written.</param>
    /// <returns>False when the connection takes nothing any more.</returns>
    public bool TryFinish(out int written)
    {
        written = _writing;
        _writing = 0;
        try
        {
            if (_socket is null)
                return !_flush.GetResult().IsCompleted;
            written = _send.GetResult();
            return true;
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            if (_sending is not null)
                ArrayPool<byte>.Shared.Return(_sending);
            _sending = null;
        }
    }

    /// <summary>
    /// Whether the client's system has taken octets since the write began to wait, or since the last look. The write itself ends only when a third of the
    /// kernel's buffer is free, which on a slow link takes longer than a write may be stuck.
    /// </summary>
    public bool HasProgressed()
    {
        if (_socket is null)
            return false;
        ulong before = _acknowledged;
        _acknowledged = TcpProgress.Acknowledged(_socket);
        return _acknowledged > before;
    }

    /// <summary>Cuts the connection if a write is under way, which ends that.</summary>
    public readonly void Cut()
    {
        if (!IsWriting)
            return;
        connection.Lifetime.Abort();
        connection.Pipes.Output.CancelPendingFlush();
    }

    private bool TryFlush(ReadOnlySpan<byte> octets, out int written)
    {
        written = 0;
        connection.Pipes.Output.Write(octets);
        try
        {
            _flush = connection.Pipes.Output.FlushAsync().ConfigureAwait(false).GetAwaiter();
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException or SocketException)
        {
            return false;
        }
        _writing = octets.Length;
        if (_flush.IsCompleted)
            return TryFinish(out written);
        _flush.UnsafeOnCompleted(session.TellWritten);
        return true;
    }

    /// <summary>The socket is full: the system writes when there is room, from a copy, since the outbox may move.</summary>
    private bool TrySendLater(ReadOnlySpan<byte> octets, out int written)
    {
        written = 0;
        _sending = ArrayPool<byte>.Shared.Rent(octets.Length);
        octets.CopyTo(_sending);
        _send = _socket!.SendAsync(_sending.AsMemory(0, octets.Length), SocketFlags.None).ConfigureAwait(false).GetAwaiter();
        _writing = octets.Length;
        _acknowledged = TcpProgress.Acknowledged(_socket);
        if (_send.IsCompleted)
            return TryFinish(out written);
        _send.UnsafeOnCompleted(session.TellWritten);
        return true;
    }

    private static Socket? NonBlocking(PipeConnection connection)
    {
        if (!connection.WritesToSocket || connection.Socket is not { } socket)
            return null;
        try
        {
            socket.Blocking = false;
            return socket;
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            return null;
        }
    }
}
