using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using ChannelServer.Transport;

namespace ChannelServer.Tests.Transport;

/// <summary>What a connection on pipes has received, taken off the pipe as it comes.</summary>
public sealed class PipeInputTests : IDuplexPipe
{
    private readonly Pipe _pipe = new(new PipeOptions(
        readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false,
        pauseWriterThreshold: 16 * 1024, resumeWriterThreshold: 8 * 1024));

    private readonly PipeInput _input;
    private int _told;

    public PipeInputTests() => _input = new PipeInput(this, static test => ((PipeInputTests)test)._told++, this);

    public PipeReader Input => _pipe.Reader;

    public PipeWriter Output => throw new InvalidOperationException("nothing is written");

    [Fact]
    public async Task What_arrived_before_a_reset_is_not_hidden_by_it()
    {
        _input.Begin(new ReadOnlySequence<byte>("behind the head, "u8.ToArray()));
        _input.ReadOn();
        await _pipe.Writer.WriteAsync("one, "u8.ToArray(), TestContext.Current.CancellationToken);
        // The shard has not looked yet.
        await _pipe.Writer.WriteAsync("two"u8.ToArray(), TestContext.Current.CancellationToken);
        await _pipe.Writer.CompleteAsync(new IOException("reset"));
        Assert.Equal("behind the head, one, two", Take(out bool isOver, out bool isBroken));
        Assert.Equal((false, true), (isOver, isBroken));
        Assert.True(_input.IsAtRest);
        // Once for the bytes, once for the end.
        Assert.Equal(2, _told);
    }

    [Fact]
    public async Task Whatever_breaks_the_connection_is_told()
    {
        _input.ReadOn();
        // What Kestrel says of a connection that has timed out.
        await _pipe.Writer.CompleteAsync(new SocketException((int)SocketError.TimedOut));
        Take(out _, out bool isBroken);
        Assert.Equal((true, true, 1), (isBroken, _input.IsAtRest, _told));
    }

    [Fact]
    public async Task An_orderly_end_comes_behind_the_bytes()
    {
        _input.ReadOn();
        await _pipe.Writer.WriteAsync("last"u8.ToArray(), TestContext.Current.CancellationToken);
        await _pipe.Writer.CompleteAsync();
        Assert.Equal("last", Take(out bool isOver, out bool isBroken));
        Assert.Equal((true, false), (isOver, isBroken));
    }

    [Fact]
    public async Task Reading_pauses_when_the_shard_does_not_keep_up_and_goes_on_when_it_does()
    {
        _input.ReadOn();
        byte[] some = new byte[1024];
        int written = 0;
        ValueTask<FlushResult> flush;
        do
        {
            flush = _pipe.Writer.WriteAsync(some, TestContext.Current.CancellationToken);
            written += some.Length;
        }
        while (flush.IsCompletedSuccessfully && written < 1024 * 1024);
        Assert.False(flush.IsCompleted);
        Assert.Equal(ShardTurn.InputSize, Take(out _, out _).Length);
        _input.ReadOn();
        await flush;
        Assert.Equal(written - ShardTurn.InputSize, Take(out _, out _).Length);
    }

    [Fact]
    public void A_stop_cuts_the_read_under_way_and_tells_when_it_has_ended()
    {
        _input.ReadOn();
        Assert.False(_input.IsAtRest);
        _input.Stop();
        Assert.True(_input.IsAtRest);
        Assert.Equal(1, _told);
        _input.ReadOn();
        Assert.True(_input.IsAtRest);
    }

    private string Take(out bool isOver, out bool isBroken)
    {
        ArraySegment<byte> taken = _input.Take(out isOver, out isBroken);
        string text = System.Text.Encoding.ASCII.GetString(taken);
        if (taken.Array is { } array)
            ArrayPool<byte>.Shared.Return(array);
        return text;
    }
}
