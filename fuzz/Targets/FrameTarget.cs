using System.Buffers;
using System.Buffers.Binary;
using ChannelServer.WebSockets;
using static ChannelServer.Fuzz.FuzzTargets;

namespace ChannelServer.Fuzz;

/// <summary>
/// The frame reader. The first octet chooses the limits, the second how many cuts follow, an octet each, counted from the one before; the
/// rest is what a client sends. However it is cut, the same events come of it, they keep the limits, and all buffers come back.
/// </summary>
internal static class FrameTarget
{
    private static readonly int[] _messageSizes = [0, 1, 7, 125, 126, 300, 4096, 65536];
    private static readonly int[] _fragments = [1, 2, 3, 64];

    public static void Run(ReadOnlySpan<byte> octets)
    {
        FuzzInput input = new(octets);
        byte choice = input.TakeByte();
        FrameLimits limits = new(_messageSizes[choice & 7], _fragments[(choice >> 3) & 3], AcceptsBinary: (choice & 0x20) != 0);
        ReadOnlySpan<byte> cuts = input.Take(input.TakeByte() & 15);
        ReadOnlySpan<byte> stream = input.TakeRest();

        byte[] whole = Read(stream, [], limits);
        Check(whole.AsSpan().SequenceEqual(Read(stream, cuts, limits)));
        // Octet by octet: cuts of zero go on by one, for ever.
        Check(whole.AsSpan().SequenceEqual(Read(stream, new byte[stream.Length], limits)));
    }

    /// <summary>Reads a stream; what comes of it is written as one run of octets, event by event.</summary>
    private static byte[] Read(ReadOnlySpan<byte> stream, ReadOnlySpan<byte> cuts, FrameLimits limits)
    {
        BufferPool buffers = new();
        PartialMessagePool pool = new(buffers);
        FrameReader reader = default;
        ArrayBufferWriter<byte> transcript = new();
        int fragments = 0;
        bool goesOn = true;
        for (int next = 0; goesOn && (next <= cuts.Length || !stream.IsEmpty); next++)
        {
            int size = next < cuts.Length ? Math.Min(cuts[next] + 1, stream.Length) : stream.Length;
            // A copy of its own length, since reading changes the bytes, and must not look behind them.
            goesOn = ReadChunk(stream[..size].ToArray(), ref reader, limits, pool, transcript, ref fragments);
            stream = stream[size..];
        }
        reader.Release(pool);
        Check(pool.Lent == 0);
        Check(buffers.Lent == 0);
        return transcript.WrittenSpan.ToArray();
    }

    private static bool ReadChunk(
        Span<byte> chunk, ref FrameReader reader, FrameLimits limits, PartialMessagePool pool, ArrayBufferWriter<byte> transcript, ref int fragments)
    {
        while (true)
        {
            FrameEvent found = reader.Read(chunk, limits, pool, out int consumed, out Span<byte> payload);
            Check(consumed >= 0 && consumed <= chunk.Length);
            if (found == FrameEvent.NeedMore)
            {
                Check(consumed == chunk.Length);
                return true;
            }
            Check(consumed > 0 || found > FrameEvent.Close);
            bool isFault = found > FrameEvent.Close;
            CheckEvent(found, payload, limits, ref fragments);
            transcript.Write([(byte)found]);
            if (!isFault && found != FrameEvent.Fragment)
            {
                BinaryPrimitives.WriteInt32LittleEndian(transcript.GetSpan(4), payload.Length);
                transcript.Advance(4);
                transcript.Write(payload);
            }
            if (isFault)
                return false;
            chunk = chunk[consumed..];
        }
    }

    private static void CheckEvent(FrameEvent found, ReadOnlySpan<byte> payload, FrameLimits limits, ref int fragments)
    {
        switch (found)
        {
            case FrameEvent.Fragment:
                Check(++fragments <= limits.MaxFragments);
                break;
            case FrameEvent.Text or FrameEvent.Binary:
                Check(fragments < limits.MaxFragments);
                fragments = 0;
                Check(payload.Length <= limits.MaxMessage);
                Check(found == FrameEvent.Text ? System.Text.Unicode.Utf8.IsValid(payload) : limits.AcceptsBinary);
                break;
            case FrameEvent.Ping or FrameEvent.Pong or FrameEvent.Close:
                Check(payload.Length <= 125);
                break;
        }
    }
}
