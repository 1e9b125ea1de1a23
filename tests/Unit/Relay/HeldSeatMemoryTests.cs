using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>What a seat costs that is held for a client whose connection was lost.</summary>
[Collection(nameof(Alone))]
public sealed class HeldSeatMemoryTests
{
    private readonly Shard _core = new(
        0, 1, new Limits { MaxExchanges = 0, ConnLifespan = TimeSpan.Zero }, new RecordingObserver(), new Random(5).NextBytes);

    /// <summary>A held seat with one envelope that its client lacks: session and socket are gone, seat and envelope stay.</summary>
    [Fact]
    public void A_held_seat_costs_less_than_two_kibibytes()
    {
        const int Seats = 10_000;
        Visitor visitor = new(null, new SenderMetadata("""{"ua":"a"}"""u8.ToArray()), LanguagePriorityList.None);
        byte[] frame = ClientFrames.Text(new string('x', 300));
        void Populate(int count)
        {
            for (int i = 0; i < count; i++)
            {
                Session lost = new();
                _core.Open(lost, visitor, []);
                byte[] id = lost.Unsent.Slice(16, ChannelId.Characters).ToArray();
                Session other = new();
                _core.Join(other, id, visitor, []);
                Serve();
                _core.Broken(lost);
                _core.Receive(other, frame.ToArray());
                _core.Broken(other);
                Serve();
            }
        }
        Populate(10);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        // Both seats of a channel are held; one of them has an envelope.
        Populate(Seats / 2);
        long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / Seats;
        Assert.Equal(Seats + 20, _core.HeldCount);
        Assert.InRange(each, 100, 2048);
    }

    private void Serve()
    {
        while (_core.TryTakeTouched(out Session session))
            _core.Sent(session, session.Unsent.Length);
    }
}
