using System.Net;
using ChannelServer.Transport.Linux;

namespace ChannelServer.Tests.Transport;

public class LibCTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(10);

    public LibCTests() => Assert.SkipUnless(OperatingSystem.IsLinux(), "The Linux engine's system calls");

    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7", 16)]
    [InlineData("2001:db8::7", "2001:db8::7", 28)]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7", 28)]
    [InlineData("fe80::1%3", "fe80::1%3", 28)]
    public void An_address_survives_the_kernels_form(string given, string expected, int length)
    {
        SockAddr address = new(IPAddress.Parse(given), 54321);
        Assert.Equal(IPAddress.Parse(expected), address.ToIPAddress());
        Assert.Equal(54321, address.Port);
        Assert.Equal((uint)length, address.Length);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void Octets_pass_and_what_would_wait_is_a_value(string loopback)
    {
        IPAddress address = IPAddress.Parse(loopback);
        using Descriptors open = new();
        (int client, int server, SockAddr peer) = Connect(open, address);

        Assert.Equal(address, peer.ToIPAddress());
        Assert.Equal(0, LibC.GetSockName(client, out SockAddr own));
        Assert.Equal(own.Port, peer.Port);
        Assert.Equal(0, LibC.GetPeerName(server, out SockAddr seen));
        Assert.Equal(own.Port, seen.Port);

        byte[] buffer = new byte[16];
        Assert.Equal(-LibC.EAGAIN, LibC.Receive(server, buffer));
        Assert.Equal(5, LibC.Send(client, "hello"u8));
        AwaitInput(server);
        Assert.Equal(5, LibC.Receive(server, buffer));
        Assert.Equal("hello"u8, buffer.AsSpan(0, 5));
        Assert.Equal(0, LibC.Shutdown(client, LibC.SHUT_WR));
        AwaitInput(server);
        Assert.Equal(0, LibC.Receive(server, buffer));
    }

    [Fact]
    public void A_full_socket_takes_what_fits_and_then_nothing()
    {
        using Descriptors open = new();
        (int client, _, _) = Connect(open, IPAddress.Loopback);
        byte[] plenty = new byte[16 * 1024 * 1024];
        int taken = LibC.Send(client, plenty);
        Assert.InRange(taken, 1, plenty.Length - 1);
        while (taken > 0)
            taken = LibC.Send(client, plenty);
        Assert.Equal(-LibC.EAGAIN, taken);
    }

    [Fact]
    public void A_socket_closed_with_reset_is_seen_as_reset_by_its_peer()
    {
        using Descriptors open = new();
        (int client, int server, _) = Connect(open, IPAddress.Loopback);
        Assert.Equal(0, LibC.ResetOnClose(client));
        open.Close(client);
        AwaitInput(server);
        Assert.Equal(-LibC.ECONNRESET, LibC.Receive(server, new byte[1]));
        Assert.Equal(-LibC.EPIPE, LibC.Send(server, "x"u8)); // and no SIGPIPE
    }

    [Fact]
    public void Keys_keep_all_their_bits_and_stay_with_their_events()
    {
        using Descriptors open = new();
        using Epoll epoll = new(8);
        (int client, int server, _) = Connect(open, IPAddress.Loopback);
        Assert.Equal(0, epoll.Add(client, LibC.EPOLLOUT, 0xFEDCBA9876543210));
        Assert.Equal(0, epoll.Add(server, LibC.EPOLLIN, 0x0123456789ABCDEF));
        LibC.Send(client, "x"u8);

        // Until the octet has come, the client's event is alone.
        HashSet<(ulong Key, uint Events)> seen = [];
        SpinWait.SpinUntil(() =>
        {
            int ready = epoll.Wait(1000);
            for (int i = 0; i < ready; i++)
                seen.Add(epoll[i]);
            return seen.Count == 2;
        }, _patience);
        Assert.Equal(2, seen.Count);
        Assert.Contains((0x0123456789ABCDEFul, LibC.EPOLLIN), seen);
        Assert.Contains((0xFEDCBA9876543210ul, LibC.EPOLLOUT), seen);

        Assert.Equal(0, epoll.Modify(client, LibC.EPOLLIN, 7));
        Assert.Equal(0, epoll.Remove(server));
        Assert.Equal(0, epoll.Wait(0));
    }

    [Fact]
    public void An_edge_triggered_bell_rings_each_time_without_being_read()
    {
        using Descriptors open = new();
        using Epoll epoll = new(8);
        int bell = open.Keep(LibC.EventFd());
        Assert.Equal(0, epoll.Add(bell, LibC.EPOLLIN | LibC.EPOLLET, 1));
        Assert.Equal(0, epoll.Wait(0));
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(sizeof(ulong), LibC.Ring(bell));
            Assert.Equal(1, epoll.Wait(1000));
            Assert.Equal(0, epoll.Wait(0));
        }
    }

    [Fact]
    public void A_call_that_fails_gives_its_error_number()
    {
        const int BadDescriptor = 9; // EBADF, errno(3)
        Assert.Equal(-BadDescriptor, LibC.Receive(-1, new byte[1]));
        Assert.Equal(-BadDescriptor, LibC.Close(-1));
        Assert.Equal(-BadDescriptor, LibC.SetOption(-1, LibC.IPPROTO_TCP, LibC.TCP_NODELAY, 1));
    }

    [Fact]
    public void An_option_reads_as_it_was_set()
    {
        using Descriptors open = new();
        int socket = open.Keep(LibC.Socket(LibC.AF_INET6));
        Assert.Equal(0, LibC.SetOption(socket, LibC.IPPROTO_IPV6, LibC.IPV6_V6ONLY, 1));
        Assert.Equal(0, LibC.GetOption(socket, LibC.IPPROTO_IPV6, LibC.IPV6_V6ONLY, out int value));
        Assert.Equal(1, value);
    }

    private static (int Client, int Server, SockAddr Peer) Connect(Descriptors open, IPAddress address)
    {
        int family = address.GetAddressBytes().Length == 4 ? LibC.AF_INET : LibC.AF_INET6;
        int listener = open.Keep(LibC.Socket(family));
        SockAddr any = new(address, 0);
        Assert.Equal(0, LibC.Bind(listener, in any));
        Assert.Equal(0, LibC.Listen(listener, 8));
        Assert.Equal(0, LibC.GetSockName(listener, out SockAddr bound));
        int client = open.Keep(LibC.Socket(family));
        Assert.True(LibC.Connect(client, in bound) is 0 or -LibC.EINPROGRESS);
        AwaitInput(listener);
        return (client, open.Keep(LibC.Accept(listener, out SockAddr peer)), peer);
    }

    /// <summary>Loopback delivers soon, which need not be before the next system call.</summary>
    private static void AwaitInput(int socket)
    {
        using Epoll epoll = new(1);
        Assert.Equal(0, epoll.Add(socket, LibC.EPOLLIN, 0));
        Assert.True(SpinWait.SpinUntil(() => epoll.Wait(1000) == 1, _patience));
    }

    private sealed class Descriptors : IDisposable
    {
        private readonly List<int> _open = [];

        public int Keep(int descriptor)
        {
            Assert.True(descriptor >= 0, $"error {-descriptor}");
            _open.Add(descriptor);
            return descriptor;
        }

        public void Close(int descriptor)
        {
            _open.Remove(descriptor);
            Assert.Equal(0, LibC.Close(descriptor));
        }

        public void Dispose() => _open.ForEach(static descriptor => LibC.Close(descriptor));
    }
}
