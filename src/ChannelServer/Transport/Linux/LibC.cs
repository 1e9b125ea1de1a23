using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ChannelServer.Transport.Linux;

/// <summary>
/// The system calls of the Linux engine: the one file that declares native functions, and the only unsafe code. Every descriptor made here is non-blocking and closed on exec. A result is the call's value, or <c>-errno</c>.
/// None of these suppresses the transition of the garbage collector: all do I/O or may wait.
/// </summary>
/// <remarks>Constants are those of x86-64 and arm64, which agree on all that are used; each is named as its man page names it.</remarks>
internal static unsafe partial class LibC
{
    // errno(3)
    public const int EINTR = 4;
    public const int EAGAIN = 11;
    public const int EACCES = 13;
    public const int ENFILE = 23;
    public const int EMFILE = 24;
    public const int EPIPE = 32;
    public const int EADDRINUSE = 98;
    public const int EADDRNOTAVAIL = 99;
    public const int ENOBUFS = 105;
    public const int ENOMEM = 12;
    public const int ECONNABORTED = 103;
    public const int ECONNRESET = 104;
    public const int EINPROGRESS = 115;

    // socket(2), address_families(7)
    public const int AF_INET = 2;
    public const int AF_INET6 = 10;
    private const int SOCK_STREAM = 1;
    private const int SOCK_NONBLOCK = 0x800;
    private const int SOCK_CLOEXEC = 0x80000;

    // socket(7), tcp(7), ipv6(7)
    public const int SOL_SOCKET = 1;
    public const int SO_REUSEADDR = 2;
    public const int SO_SNDBUF = 7;
    public const int SO_LINGER = 13;
    public const int SO_REUSEPORT = 15;
    public const int IPPROTO_IP = 0;
    public const int IPPROTO_TCP = 6;
    public const int IPPROTO_IPV6 = 41;
    public const int TCP_NODELAY = 1;
    public const int IPV6_V6ONLY = 26;
    public const int IP_BIND_ADDRESS_NO_PORT = 24;

    // shutdown(2)
    public const int SHUT_WR = 1;

    // epoll_ctl(2)
    public const uint EPOLLIN = 0x1;
    public const uint EPOLLOUT = 0x4;
    public const uint EPOLLET = 1u << 31;
    public const int EPOLL_CTL_ADD = 1;
    public const int EPOLL_CTL_DEL = 2;
    public const int EPOLL_CTL_MOD = 3;
    private const int EPOLL_CLOEXEC = 0x80000;

    // statx(2)
    private const int AT_EMPTY_PATH = 0x1000;
    private const uint STATX_INO = 0x100;

    // eventfd(2), send(2), getrlimit(2)
    private const int EFD_NONBLOCK = 0x800;
    private const int EFD_CLOEXEC = 0x80000;
    private const int MSG_NOSIGNAL = 0x4000;
    private const int RLIMIT_NOFILE = 7;

    /// <summary>
    /// Octets of one <c>struct epoll_event</c>: its kernel header packs it on x86-64 only, for the sake of 32-bit programs.
    /// The key is its last eight octets, the events its first four.
    /// </summary>
    public static readonly int EpollEventSize = RuntimeInformation.ProcessArchitecture is Architecture.X64 ? 12 : 16;

    /// <summary>A TCP socket of the given address family. socket(2).</summary>
    public static int Socket(int family) => Result(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));

    /// <summary>bind(2).</summary>
    public static int Bind(int fd, in SockAddr address)
    {
        fixed (SockAddr* name = &address)
            return Result(bind(fd, name, address.Length));
    }

    /// <summary>listen(2). The kernel cuts the backlog to <c>net.core.somaxconn</c>.</summary>
    public static int Listen(int fd, int backlog) => Result(listen(fd, backlog));

    /// <summary>The next connection of a listening socket and its peer's address. accept4(2).</summary>
    public static int Accept(int fd, out SockAddr peer)
    {
        peer = default;
        int accepted;
        fixed (SockAddr* name = &peer)
        {
            do
            {
                uint length = (uint)sizeof(SockAddr);
                accepted = Result(accept4(fd, name, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
            } while (accepted == -EINTR);
        }
        return accepted;
    }

    /// <summary>Usually <c>-EINPROGRESS</c>: the end shows as writability, its outcome as SO_ERROR. connect(2).</summary>
    public static int Connect(int fd, in SockAddr address)
    {
        fixed (SockAddr* name = &address)
            return Result(connect(fd, name, address.Length));
    }

    /// <summary>The socket's own address. getsockname(2).</summary>
    public static int GetSockName(int fd, out SockAddr address)
    {
        address = default;
        uint length = (uint)sizeof(SockAddr);
        fixed (SockAddr* name = &address)
            return Result(getsockname(fd, name, &length));
    }

    /// <summary>The peer's address. getpeername(2).</summary>
    public static int GetPeerName(int fd, out SockAddr address)
    {
        address = default;
        uint length = (uint)sizeof(SockAddr);
        fixed (SockAddr* name = &address)
            return Result(getpeername(fd, name, &length));
    }

    /// <summary>Sets an option whose value is an int. setsockopt(2).</summary>
    public static int SetOption(int fd, int level, int option, int value) =>
        Result(setsockopt(fd, level, option, &value, sizeof(int)));

    /// <summary>An option whose value is a structure, or as much of it as there is room for. getsockopt(2).</summary>
    /// <returns>Octets of it.</returns>
    public static int GetOption(int fd, int level, int option, Span<byte> value)
    {
        uint length = (uint)value.Length;
        fixed (byte* octets = value)
        {
            int result = Result(getsockopt(fd, level, option, octets, &length));
            return result < 0 ? result : (int)length;
        }
    }

    /// <summary>An option whose value is an int. getsockopt(2).</summary>
    public static int GetOption(int fd, int level, int option, out int value)
    {
        int read = 0;
        uint length = sizeof(int);
        int result = Result(getsockopt(fd, level, option, &read, &length));
        value = read;
        return result;
    }

    /// <summary>
    /// Makes close(2) reset the connection: nothing is flushed, and no TIME_WAIT holds the port. SO_LINGER with time 0, socket(7).
    /// </summary>
    public static int ResetOnClose(int fd)
    {
        int* linger = stackalloc int[] { 1, 0 }; // struct linger { l_onoff, l_linger }
        return Result(setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, 2 * sizeof(int)));
    }

    /// <summary>Octets read; 0 at the end of the stream. recv(2).</summary>
    public static int Receive(int fd, Span<byte> buffer)
    {
        int received;
        fixed (byte* octets = buffer)
        {
            do
                received = Result((int)recv(fd, octets, (nuint)buffer.Length, 0));
            while (received == -EINTR);
        }
        return received;
    }

    /// <summary>Octets taken by the kernel, perhaps fewer than given. send(2).</summary>
    public static int Send(int fd, ReadOnlySpan<byte> bytes)
    {
        int sent;
        fixed (byte* octets = bytes)
        {
            do
                sent = Result((int)send(fd, octets, (nuint)bytes.Length, MSG_NOSIGNAL));
            while (sent == -EINTR);
        }
        return sent;
    }

    /// <summary>Ends one or both directions. shutdown(2).</summary>
    public static int Shutdown(int fd, int how) => Result(shutdown(fd, how));

    /// <summary>Never repeated: on Linux the descriptor is gone even after EINTR. close(2).</summary>
    public static int Close(int fd) => Result(close(fd));

    /// <summary>epoll_create1(2).</summary>
    public static int EpollCreate() => Result(epoll_create1(EPOLL_CLOEXEC));

    /// <summary>Adds, changes or removes what is watched for a descriptor. epoll_ctl(2).</summary>
    public static int EpollControl(int epoll, int operation, int fd, uint events, ulong key)
    {
        byte* record = stackalloc byte[16];
        Unsafe.WriteUnaligned(record, events);
        Unsafe.WriteUnaligned(record + EpollEventSize - sizeof(ulong), key);
        return Result(epoll_ctl(epoll, operation, fd, record));
    }

    /// <summary>
    /// The number of events written. A signal counts as none: the caller's loop looks at its clock and comes back. epoll_wait(2).
    /// </summary>
    /// <param name="epoll">The epoll descriptor.</param>
    /// <param name="records">Room for records of <see cref="EpollEventSize"/>.</param>
    /// <param name="timeoutMilliseconds">-1 waits without end, 0 not at all.</param>
    public static int EpollWait(int epoll, Span<byte> records, int timeoutMilliseconds)
    {
        fixed (byte* events = records)
        {
            int ready = Result(epoll_wait(epoll, events, records.Length / EpollEventSize, timeoutMilliseconds));
            return ready == -EINTR ? 0 : ready;
        }
    }

    /// <summary>A descriptor that other threads ring to wake a loop. Watched with EPOLLET it need never be read. eventfd(2).</summary>
    public static int EventFd() => Result(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));

    /// <summary>
    /// Rings an eventfd. <c>-EAGAIN</c> would mean 2^64-2 rings that nobody read: not in this universe. write(2), eventfd(2).
    /// </summary>
    public static int Ring(int eventfd)
    {
        ulong once = 1;
        int written;
        do
            written = Result((int)write(eventfd, &once, sizeof(ulong)));
        while (written == -EINTR);
        return written;
    }

    /// <summary>How many descriptors this process may have open, and how far it may raise that itself. getrlimit(2).</summary>
    public static int GetDescriptorLimit(out long soft, out long hard)
    {
        ulong* limit = stackalloc ulong[2]; // struct rlimit { rlim_cur, rlim_max }
        int result = Result(getrlimit(RLIMIT_NOFILE, limit));
        soft = (long)Math.Min(limit[0], long.MaxValue); // RLIM_INFINITY is all ones
        hard = (long)Math.Min(limit[1], long.MaxValue);
        return result;
    }

    /// <summary>Raises the soft descriptor limit to the hard one. setrlimit(2).</summary>
    public static int RaiseDescriptorLimit()
    {
        ulong* limit = stackalloc ulong[2];
        int result = Result(getrlimit(RLIMIT_NOFILE, limit));
        if (result < 0 || limit[0] == limit[1])
            return result;
        limit[0] = limit[1];
        return Result(setrlimit(RLIMIT_NOFILE, limit));
    }

    /// <summary>The inode of an open file. statx(2), whose structure is the same on every architecture.</summary>
    public static int GetInode(int fd, out ulong inode)
    {
        ulong* file = stackalloc ulong[32]; // struct statx, 256 octets; stx_ino stands at 32
        byte empty = 0;
        int result = Result(statx(fd, &empty, AT_EMPTY_PATH, STATX_INO, file));
        inode = result < 0 ? 0 : file[4];
        return result;
    }

    // SetLastError lets the generated stub keep errno before the runtime's own calls can change it.
    private static int Result(int value) => value >= 0 ? value : -Marshal.GetLastPInvokeError();

    [LibraryImport("libc", SetLastError = true)] // man 2 socket
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)] // man 2 bind
    private static partial int bind(int fd, SockAddr* address, uint length);

    [LibraryImport("libc", SetLastError = true)] // man 2 listen
    private static partial int listen(int fd, int backlog);

    [LibraryImport("libc", SetLastError = true)] // man 2 accept4
    private static partial int accept4(int fd, SockAddr* address, uint* length, int flags);

    [LibraryImport("libc", SetLastError = true)] // man 2 connect
    private static partial int connect(int fd, SockAddr* address, uint length);

    [LibraryImport("libc", SetLastError = true)] // man 2 getsockname
    private static partial int getsockname(int fd, SockAddr* address, uint* length);

    [LibraryImport("libc", SetLastError = true)] // man 2 getpeername
    private static partial int getpeername(int fd, SockAddr* address, uint* length);

    [LibraryImport("libc", SetLastError = true)] // man 2 setsockopt
    private static partial int setsockopt(int fd, int level, int option, void* value, uint length);

    [LibraryImport("libc", SetLastError = true)] // man 2 getsockopt
    private static partial int getsockopt(int fd, int level, int option, void* value, uint* length);

    [LibraryImport("libc", SetLastError = true)] // man 2 recv
    private static partial nint recv(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)] // man 2 send
    private static partial nint send(int fd, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)] // man 2 shutdown
    private static partial int shutdown(int fd, int how);

    [LibraryImport("libc", SetLastError = true)] // man 2 close
    private static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)] // man 2 epoll_create1
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)] // man 2 epoll_ctl
    private static partial int epoll_ctl(int epoll, int operation, int fd, byte* record);

    [LibraryImport("libc", SetLastError = true)] // man 2 epoll_wait
    private static partial int epoll_wait(int epoll, byte* records, int capacity, int timeoutMilliseconds);

    [LibraryImport("libc", SetLastError = true)] // man 2 eventfd
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)] // man 2 write
    private static partial nint write(int fd, void* buffer, nuint length);

    [LibraryImport("libc", SetLastError = true)] // man 2 getrlimit
    private static partial int getrlimit(int resource, ulong* limit);

    [LibraryImport("libc", SetLastError = true)] // man 2 setrlimit
    private static partial int setrlimit(int resource, ulong* limit);

    [LibraryImport("libc", SetLastError = true)] // man 2 statx
    private static partial int statx(int directory, byte* path, int flags, uint mask, void* file);
}
