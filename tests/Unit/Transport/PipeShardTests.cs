using System.IO.Pipelines;
using System.Net;
using System.Text;
using System.Threading.Tasks.Sources;
using ChannelServer.Relay;
using ChannelServer.Tests.Relay;
using ChannelServer.Tests.WebSockets;
using ChannelServer.Transport;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests.Transport;

/// <summary>What sockets show only by luck: the order of things within one turn.</summary>
public sealed class PipeShardTests : IDisposable
{
    private static readonly PipeOptions _inline = new(
        readerScheduler: PipeScheduler.Inline, writerScheduler: PipeScheduler.Inline, useSynchronizationContext: false);

    private readonly RecordingObserver _observer = new();
    private readonly FakeTimeProvider _time = new();
    private readonly PipeShard _shard;

    public PipeShardTests() => _shard = new PipeShard(0, 1, new Limits(), _observer, _time, new Random(4).NextBytes);

    public void Dispose() => _shard.Dispose();

    [Fact]
    public async Task The_pipes_are_not_let_go_while_what_was_read_is_in_use()
    {
        Wire wire = new();
        (PipeSession session, Task run) = Enter(wire, "");
        await wire.ReceiveAsync();
        // The client floods and is gone: the session finishes while its bytes are still being looked at.
        wire.Hang();
        bool releasedInUse = false;
        wire.Reader.BeforeAdvance = () => releasedInUse |= run.Wait(TimeSpan.FromMilliseconds(100));
        await wire.SendAsync([.. Enumerable.Repeat(ClientFrames.Ping(new string('p', 125)), 1200).SelectMany(frame => frame)]);
        await Ended(run);
        Assert.Equal(SessionPhase.Finished, session.Phase);
        Assert.False(releasedInUse);
        Assert.Empty(_observer.Failures);
    }

    [Fact]
    public async Task A_session_whose_write_throws_costs_only_itself()
    {
        Wire one = new();
        (PipeSession sender, _) = Enter(one, "");
        string id = (await one.ReceiveAsync()).Substring(16, 22);
        Wire two = new();
        (PipeSession faulty, Task run) = Enter(two, id);
        two.Writer.Fault = new InvalidOperationException();
        await one.SendAsync(ClientFrames.Text("x"));
        await Ended(run);
        Assert.Equal(SessionPhase.Finished, faulty.Phase);
        Assert.Equal(SessionPhase.Open, sender.Phase);
        Assert.Equal([two.Writer.Fault], _observer.Failures);

        Wire three = new();
        Enter(three, id);
        await three.ReceiveAsync();
        await one.SendAsync(ClientFrames.Text("still served"));
        Assert.Contains("still served", await three.ReceiveAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Time_passes_while_one_client_keeps_the_shard_busy()
    {
        Wire idle = new();
        (PipeSession silent, _) = Enter(idle, "");
        Wire busy = new();
        Enter(busy, "");
        int rounds = 0;
        busy.Reader.BeforeAdvance = () =>
        {
            // The next frame is there before this one is done with, so the mailbox is never empty.
            if (rounds++ == 20_000 || silent.EndedBy != EndReason.None)
                return;
            _time.Advance(TimeSpan.FromMilliseconds(10));
            busy.Send(ClientFrames.Pong());
        };
        await busy.SendAsync(ClientFrames.Pong());
        Assert.Equal(EndReason.ClientTimeout, silent.EndedBy);
        Assert.InRange(rounds, 2900, 4000);
    }

    [Fact]
    public async Task A_stopped_shard_closes_everyone_and_refuses_newcomers()
    {
        Wire one = new();
        (_, Task run) = Enter(one, "");
        await one.ReceiveAsync();
        _shard.Stop(TimeSpan.Zero);
        Assert.EndsWith("server shutdown", await one.ReceiveAsync(), StringComparison.Ordinal);
        Wire late = new();
        (_, Task refused) = Enter(late, "");
        Assert.EndsWith("server shutdown", await late.ReceiveAsync(), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromSeconds(2));
        await Ended(run);
        await Ended(refused);
    }

    [Fact]
    public async Task Deadlines_come_without_any_letter()
    {
        Wire one = new();
        (PipeSession session, Task run) = Enter(one, "");
        await one.ReceiveAsync();
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("\u0089\0", await one.ReceiveAsync());
        // Not in one step: a process that stood still would forgive the silence.
        for (int i = 0; i < 5; i++)
            _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(EndReason.ClientTimeout, session.EndedBy);
        _time.Advance(TimeSpan.FromSeconds(2));
        await Ended(run);
    }

    private static Task Ended(Task run) => run.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

    private (PipeSession Session, Task Run) Enter(Wire wire, string channelId)
    {
        PipeSession session = new(new PipeConnection(wire, Socket: null, wire), _shard)
        {
            Arrival = new Arrival(Encoding.ASCII.GetBytes(channelId), new Visitor(IPAddress.Loopback, SenderMetadata.Empty, LanguagePriorityList.None), []),
        };
        return (session, session.RunAsync());
    }

    /// <summary>The server's end of a connection in memory, and the client's.</summary>
    private sealed class Wire : IDuplexPipe, IConnectionLifetimeFeature
    {
        private readonly Pipe _up = new(_inline);
        private readonly Pipe _down = new(_inline);

        public Wire()
        {
            Reader = new WatchedReader(_up.Reader);
            Writer = new FaultyWriter(_down.Writer);
        }

        public CancellationToken ConnectionClosed { get; set; }

        public void Abort() => _down.Reader.CancelPendingRead();

        public WatchedReader Reader { get; }

        public FaultyWriter Writer { get; }

        public PipeReader Input => Reader;

        public PipeWriter Output => Writer;

        /// <summary>The client is gone; it reads no more.</summary>
        public void Hang() => _down.Reader.Complete();

        public async Task SendAsync(byte[] bytes) => await _up.Writer.WriteAsync(bytes);

        public void Send(byte[] bytes)
        {
            ValueTask<FlushResult> written = _up.Writer.WriteAsync(bytes);
            Assert.True(written.IsCompletedSuccessfully);
        }

        public async Task<string> ReceiveAsync()
        {
            ReadResult read = await _down.Reader.ReadAsync();
            string text = Encoding.Latin1.GetString(read.Buffer);
            _down.Reader.AdvanceTo(read.Buffer.End);
            return text;
        }
    }

    private sealed class WatchedReader(PipeReader inner) : PipeReader
    {
        public Action? BeforeAdvance { get; set; }

        public override void AdvanceTo(SequencePosition consumed)
        {
            BeforeAdvance?.Invoke();
            inner.AdvanceTo(consumed);
        }

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            inner.TryRead(out ReadResult result) ? new ValueTask<ReadResult>(new InlineRead(result), 0) : inner.ReadAsync(cancellationToken);

        public override bool TryRead(out ReadResult result) => inner.TryRead(out result);
    }

    /// <summary>A read that is complete and calls back at once, as a busy transport with inline scheduling does.</summary>
    private sealed class InlineRead(ReadResult result) : IValueTaskSource<ReadResult>
    {
        public ReadResult GetResult(short token) => result;

        public ValueTaskSourceStatus GetStatus(short token) => ValueTaskSourceStatus.Succeeded;

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => continuation(state);
    }

    private sealed class FaultyWriter(PipeWriter inner) : PipeWriter
    {
        public Exception? Fault { get; set; }

        public override void Advance(int bytes) => inner.Advance(bytes);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
            Fault is null ? inner.FlushAsync(cancellationToken) : throw Fault;

        public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);
    }
}
