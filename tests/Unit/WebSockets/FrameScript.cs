using ChannelServer.WebSockets;

namespace ChannelServer.Tests.WebSockets;

/// <summary>Reads a client's whole stream, cut anywhere, and tells what came of it.</summary>
internal static class FrameScript
{
    public static readonly FrameLimits TextOnly = new(MaxMessage: 65536, MaxFragments: 64, AcceptsBinary: false);

    public static readonly FrameLimits Any = TextOnly with { AcceptsBinary = true };

    /// <summary>Events with their payloads in hexadecimal; the last one may be a fault. Checks that all buffers come back.</summary>
    public static List<string> Read(byte[] stream, FrameLimits limits, params int[] cuts)
    {
        BufferPool buffers = new();
        PartialMessagePool pool = new(buffers);
        FrameReader reader = default;
        List<string> events = [];
        int start = 0;
        foreach (int cut in cuts.Where(cut => cut > 0 && cut < stream.Length).Order().Append(stream.Length))
        {
            // A copy, since reading changes the bytes.
            if (!ReadChunk(stream.AsSpan(start..cut).ToArray(), ref reader, limits, pool, events))
                break;
            start = cut;
        }
        reader.Release(pool);
        Assert.Equal(0, pool.Lent);
        Assert.Equal(0, buffers.Lent);
        return events;
    }

    public static List<string> ReadByOctets(byte[] stream, FrameLimits limits) =>
        Read(stream, limits, [.. Enumerable.Range(1, Math.Max(0, stream.Length - 1))]);

    private static bool ReadChunk(Span<byte> chunk, ref FrameReader reader, FrameLimits limits, PartialMessagePool pool, List<string> events)
    {
        while (true)
        {
            FrameEvent found = reader.Read(chunk, limits, pool, out int consumed, out Span<byte> payload);
            if (found == FrameEvent.NeedMore)
            {
                Assert.Equal(chunk.Length, consumed);
                return true;
            }
            bool isFault = found > FrameEvent.Close;
            events.Add(isFault || found == FrameEvent.Fragment ? found.ToString() : $"{found} {Convert.ToHexString(payload)}");
            if (isFault)
                return false;
            chunk = chunk[consumed..];
        }
    }
}
