using ChannelServer.Relay;
using ChannelServer.WebSockets;
using CsCheck;

namespace ChannelServer.Tests.Relay;

public sealed class OutboxTests
{
    [Fact]
    public void Any_appends_and_partial_writes_give_the_same_bytes_and_an_exact_count() =>
        Gen.Select(Gen.Int[0, 4], Gen.Int[0, 3000]).Array[1, 80].Sample(steps =>
        {
            BufferPool pool = new();
            Outbox outbox = default;
            byte[] head = new byte[steps[0].Item2];
            new Random(1).NextBytes(head);
            outbox.AppendHead(head, pool);
            List<byte> appended = [.. head];
            List<int> messageEnds = [];
            List<byte> sent = [];
            foreach ((int action, int amount) in steps)
            {
                if (action <= 1)
                {
                    byte[] frame = ServerFrame(Opcode.Text, amount);
                    outbox.AppendFrame(frame, pool);
                    appended.AddRange(frame);
                    messageEnds.Add(appended.Count);
                }
                else if (action == 2)
                {
                    byte[] payload = new byte[amount % 126];
                    payload.AsSpan().Fill(0x81);
                    outbox.AppendControl(Opcode.Pong, payload, pool);
                    appended.AddRange([0x8A, (byte)payload.Length, .. payload]);
                }
                else
                {
                    int octets = Math.Min(amount, outbox.Octets);
                    sent.AddRange(outbox.Unsent[..octets]);
                    outbox.Advance(octets, pool);
                }
                Assert.Equal(appended.Count - sent.Count, outbox.Octets);
                Assert.Equal(appended.Count == sent.Count, outbox.IsEmpty);
                Assert.Equal(messageEnds.Count(end => end > sent.Count), outbox.Messages);
                Assert.InRange(pool.Lent, outbox.IsEmpty ? 0 : 1, 1);
            }
            outbox.AppendClose(1008, "slow consumer"u8, pool);
            appended.AddRange([0x88, 15, 0x03, 0xF0, .. "slow consumer"u8]);
            sent.AddRange(outbox.Unsent);
            Assert.Equal(appended, sent);
            outbox.Advance(outbox.Octets, pool);
            Assert.Equal(0, pool.Lent);
        }, iter: 1000);

    [Fact]
    public void An_empty_outbox_holds_no_buffer()
    {
        BufferPool pool = new();
        Outbox outbox = default;
        outbox.AppendFrame(ServerFrame(Opcode.Text, 10), pool);
        outbox.Advance(11, pool);
        Assert.Equal((1, 1), (pool.Lent, outbox.Messages));
        outbox.Advance(1, pool);
        Assert.Equal((0, 0), (pool.Lent, outbox.Messages));
        outbox.AppendFrame(ServerFrame(Opcode.Text, 70_000), pool);
        outbox.Clear(pool);
        Assert.Equal((0, 0), (pool.Lent, outbox.Messages));
    }

    [Fact]
    public void More_than_was_there_cannot_have_been_sent()
    {
        BufferPool pool = new();
        Outbox outbox = default;
        outbox.AppendFrame(ServerFrame(Opcode.Text, 1), pool);
        Assert.Throws<InvariantException>(() => outbox.Advance(4, pool));
        Assert.Throws<InvariantException>(() => outbox.Advance(-1, pool));
    }

    private static byte[] ServerFrame(Opcode opcode, int length)
    {
        byte[] frame = new byte[FrameWriter.HeaderSize(length) + length];
        // A payload that looks like headers of messages.
        frame.AsSpan().Fill(0x81);
        FrameWriter.WriteHeader(frame, opcode, length);
        return frame;
    }
}
