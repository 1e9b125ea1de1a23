using BenchmarkDotNet.Attributes;
using ChannelServer.WebSockets;

namespace ChannelServer.Bench.Micro;

/// <summary>What one client frame costs between the socket and the relay core.</summary>
public class CodecBenchmarks
{
    private const uint Key = 0x3D21FA37;
    private static readonly FrameLimits _limits = new(MaxMessage: 65536, MaxFragments: 64, AcceptsBinary: false);

    private readonly PartialMessagePool _pool = new(new BufferPool());
    private byte[] _frame = [];
    private byte[] _input = [];
    private FrameReader _reader;

    [Params(100, 300, 1500, 16384)]
    public int Size { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        int header = FrameWriter.HeaderSize(Size);
        _frame = new byte[header + 4 + Size];
        FrameWriter.WriteHeader(_frame, Opcode.Text, Size);
        _frame[1] |= 0x80;
        BitConverter.TryWriteBytes(_frame.AsSpan(header), Key);
        Span<byte> payload = _frame.AsSpan(header + 4);
        payload.Fill((byte)'a');
        Masking.Apply(payload, Key);
        _input = new byte[_frame.Length];
    }

    [Benchmark(Baseline = true, Description = "copy alone")]
    public void Copy() => _frame.CopyTo(_input, 0);

    [Benchmark(Description = "copy and unmask")]
    public void Unmask()
    {
        _frame.CopyTo(_input, 0);
        Masking.Apply(_input, Key);
    }

    [Benchmark(Description = "copy and read whole")]
    public int ReadWhole()
    {
        // Reading unmasks in place, so each turn needs a fresh copy.
        _frame.CopyTo(_input, 0);
        Expect(FrameEvent.Text, _reader.Read(_input, _limits, _pool, out _, out Span<byte> payload));
        return payload.Length;
    }

    [Benchmark(Description = "copy and read in two parts")]
    public int ReadInParts()
    {
        _frame.CopyTo(_input, 0);
        int half = _input.Length / 2;
        // The reader takes a header by itself, so a part may want several calls.
        Span<byte> part = _input.AsSpan(0, half);
        while (!part.IsEmpty)
        {
            Expect(FrameEvent.NeedMore, _reader.Read(part, _limits, _pool, out int consumed, out _));
            part = part[consumed..];
        }
        Expect(FrameEvent.Text, _reader.Read(_input.AsSpan(half), _limits, _pool, out _, out Span<byte> payload));
        return payload.Length;
    }

    private static void Expect(FrameEvent expected, FrameEvent found)
    {
        if (found != expected)
            throw new InvalidOperationException($"{found} instead of {expected}");
    }
}
