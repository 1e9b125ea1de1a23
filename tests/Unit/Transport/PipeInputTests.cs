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

    private readonly UnseenInput _unseen = new();
    private readonly PipeInput _input;
    private int _told;

    public PipeInputTests() => _input = new PipeInput(this, _unseen, static test => ((PipeInputTests)test)._told++, this);

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

    [Fact]
    public async Task What_arrives_while_the_shard_is_far_behind_stays_in_the_pipe_until_it_is_taken()
    {
        _input.ReadOn();
        _unseen.Add(UnseenInput.Most);
        await _pipe.Writer.WriteAsync("one, "u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Equal((UnseenInput.Most, 1, false), (_unseen.Octets, _told, _input.IsAtRest));
        // Nothing reads it, so that the pipe and the kernel hold the client back.
        ValueTask<FlushResult> flush = _pipe.Writer.WriteAsync(new byte[16 * 1024], TestContext.Current.CancellationToken);
        Assert.False(flush.IsCompleted);

        Assert.Equal(5 + (16 * 1024), Take(out _, out _).Length);
        await flush;
        Assert.True(_input.IsAtRest);
        _unseen.Add(-UnseenInput.Most);
        _input.ReadOn();
        await _pipe.Writer.WriteAsync("two"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Equal(3, _unseen.Octets);
        Assert.Equal("two", Take(out _, out _));
        Assert.Equal(0, _unseen.Octets);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_end_that_comes_while_the_shard_is_far_behind_is_told_in_its_turn(bool isBroken)
    {
        _input.ReadOn();
        _unseen.Add(UnseenInput.Most);
        await _pipe.Writer.CompleteAsync(isBroken ? new IOException("reset") : null);
        Assert.Equal(1, _told);
        Assert.Equal("", Take(out bool isOver, out bool breaks));
        Assert.Equal((!isBroken, isBroken, true), (isOver, breaks, _input.IsAtRest));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_nobody_takes_any_more_counts_no_more(bool isFarBehind)
    {
        int others = isFarBehind ? UnseenInput.Most : 0;
        _unseen.Add(others);
        _input.ReadOn();
        await _pipe.Writer.WriteAsync("one"u8.ToArray(), TestContext.Current.CancellationToken);
        _input.Stop();
        await _pipe.Writer.WriteAsync("two"u8.ToArray(), TestContext.Current.CancellationToken);
        Assert.Equal("", Take(out _, out _));
        Assert.Equal((others, true), (_unseen.Octets, _input.IsAtRest));
    }

    private string Take(out bool isOver, out bool isBroken)
    {
        ArraySegment<byte> taken = _input.Take(out isOver, out isBroken);
        string text = System.Text.Encoding.ASCII.GetString(taken);
        if (taken.Array is { } array)
            _unseen.Return(array);
        return text;
    }
}
