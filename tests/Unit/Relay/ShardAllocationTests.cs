using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>In steady state the core allocates nothing.</summary>
public sealed class ShardAllocationTests
{
    private const int WarmingRounds = 1000;
    private const int Rounds = 2000;
    private const int AllRounds = WarmingRounds + Allocation.Tries * Rounds;

    private readonly Limits _limits = new() { MaxExchanges = 0, ConnLifespan = TimeSpan.Zero, ControlOctetsPerSecond = int.MaxValue };
    private readonly Shard _core;
    private readonly Session _one = new();
    private readonly Session _other = new();

    public ShardAllocationTests()
    {
        _core = new Shard(0, 1, _limits, new RecordingObserver(), new Random(5).NextBytes);
        Visitor visitor = new(null, new SenderMetadata("""{"ua":"a"}"""u8.ToArray()), LanguagePriorityList.None);
        _core.Open(_one, visitor, []);
        byte[] id = _one.Unsent.Slice(16, ChannelId.Characters).ToArray();
        _core.Join(_other, id, visitor, []);
        Assert.Equal(2, _core.SessionCount);
        Serve();
    }

    [Theory]
    [InlineData(300, int.MaxValue)]
    [InlineData(300, 7)]
    [InlineData(60_000, 1460)]
    public void A_relayed_message_allocates_nothing(int octets, int pieces)
    {
        byte[] frame = ClientFrames.Text(new string('x', octets));
        byte[] input = new byte[frame.Length];
        int relayed = 0;
        long consumed = 0;
        AssertAllocatesNothing(() =>
        {
            // Unmasking changes the bytes.
            frame.CopyTo(input, 0);
            for (int start = 0; start < input.Length; start += pieces)
            {
                int end = (int)Math.Min((long)start + pieces, input.Length);
                consumed += _core.Receive(_one, input.AsSpan(start..end));
                relayed += _other.Unsent.Length > octets ? 1 : 0;
                Serve();
                if (pieces == int.MaxValue)
                    break;
            }
        });
        Assert.Equal((AllRounds, (long)AllRounds * frame.Length), (relayed, consumed));
    }

    [Fact]
    public void A_ping_and_its_pong_allocate_nothing()
    {
        byte[] pong = ClientFrames.Pong();
        byte[] ping = ClientFrames.Ping("abcd");
        byte[] input = new byte[ping.Length];
        TimeSpan now = TimeSpan.Zero;
        AssertAllocatesNothing(() =>
        {
            now += TimeSpan.FromSeconds(5);
            _core.Advance(now);
            Serve();
            foreach (Session session in (ReadOnlySpan<Session>)[_one, _other])
            {
                pong.CopyTo(input, 0);
                _core.Receive(session, input.AsSpan(0, pong.Length));
                ping.CopyTo(input, 0);
                _core.Receive(session, input);
                Serve();
            }
        });
        Assert.Equal(SessionPhase.Open, _one.Phase);
    }

    /// <summary>The same with envelopes that are kept, pinged for and acknowledged, to a peer of either version.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_acknowledged_message_allocates_nothing(bool speaksTwo)
    {
        ProtocolVersion version = speaksTwo ? ProtocolVersion.Two : ProtocolVersion.One;
        Session sender = new();
        Session receiver = new();
        Visitor visitor = new Visitor(null, new SenderMetadata("""{"ua":"a"}"""u8.ToArray()), LanguagePriorityList.None) with { Version = version };
        _core.Open(sender, visitor, []);
        ReadOnlySpan<byte> greeting = sender.Unsent;
        byte[] id = greeting.Slice(greeting.IndexOf("channelid"u8) + 12, ChannelId.Characters).ToArray();
        _core.Join(receiver, id, visitor, []);
        Serve();
        byte[] frame = ClientFrames.Text(new string('x', 300));
        byte[] input = new byte[frame.Length];
        byte[][] pongs = [.. Enumerable.Range(0, AllRounds + 1).Select(static number => ClientFrames.Pong($"{number}"))];
        int number = 0;
        AssertAllocatesNothing(() =>
        {
            frame.CopyTo(input, 0);
            _core.Receive(sender, input);
            Serve();
            _core.Receive(receiver, pongs[++number]);
            Serve();
        });
        Assert.Equal((AllRounds, 0), (number, _core.KeptBuffersLent));
        Assert.Equal(SessionPhase.Open, receiver.Phase);
    }

    private static void AssertAllocatesNothing(Action round)
    {
        for (int i = 0; i < WarmingRounds; i++)
            round();
        Allocation.AssertNone(() =>
        {
            for (int i = 0; i < Rounds; i++)
                round();
        });
    }

    private void Serve()
    {
        while (_core.TryTakeTouched(out Session session))
            _core.Sent(session, session.Unsent.Length);
    }
}
