using System.Runtime.InteropServices;

namespace ChannelServer.Transport.Linux;

/// <summary>
/// One epoll instance and the buffer into which it reports, reused by every wait. Belongs to one thread. epoll(7).
/// </summary>
internal sealed class Epoll : IDisposable
{
    private readonly int _fd;
    private readonly byte[] _records;

    /// <summary>Throws <see cref="IOException"/> when the kernel has no descriptor left.</summary>
    /// <param name="capacity">Events of one wait at most; more come with the next.</param>
    public Epoll(int capacity)
    {
        _fd = LibC.EpollCreate();
        if (_fd < 0)
            throw new IOException($"epoll_create1: {Marshal.GetPInvokeErrorMessage(-_fd)}");
        // Pinned for good: the kernel writes here at every turn of the loop.
        _records = GC.AllocateArray<byte>(capacity * LibC.EpollEventSize, pinned: true);
    }

    /// <summary>An event of the last wait: the key given with the descriptor, and what is ready.</summary>
    public (ulong Key, uint Events) this[int index]
    {
        get
        {
            ReadOnlySpan<byte> record = _records.AsSpan(index * LibC.EpollEventSize, LibC.EpollEventSize);
            return (MemoryMarshal.Read<ulong>(record[^sizeof(ulong)..]), MemoryMarshal.Read<uint>(record));
        }
    }

    /// <summary>Watches a descriptor; 0 or <c>-errno</c>.</summary>
    public int Add(int fd, uint events, ulong key) => LibC.EpollControl(_fd, LibC.EPOLL_CTL_ADD, fd, events, key);

    /// <summary>Changes what a descriptor is watched for; 0 or <c>-errno</c>.</summary>
    public int Modify(int fd, uint events, ulong key) => LibC.EpollControl(_fd, LibC.EPOLL_CTL_MOD, fd, events, key);

    /// <summary>
    /// Stops watching a descriptor, as before it is handed to another thread; 0 or <c>-errno</c>. Not needed before close(2), which
    /// removes it.
    /// </summary>
    public int Remove(int fd) => LibC.EpollControl(_fd, LibC.EPOLL_CTL_DEL, fd, 0, 0);

    /// <summary>The number of events ready, or <c>-errno</c>. A signal counts as none.</summary>
    /// <param name="timeoutMilliseconds">-1 waits without end, 0 not at all.</param>
    public int Wait(int timeoutMilliseconds) => LibC.EpollWait(_fd, _records, timeoutMilliseconds);

    /// <inheritdoc/>
    public void Dispose() => _ = LibC.Close(_fd);
}
