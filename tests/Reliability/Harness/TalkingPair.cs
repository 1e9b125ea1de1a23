using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Reliability.Harness;

/// <summary>A pair that talks until the server ends its channel with 1001, and knows what had been accepted by then.</summary>
internal sealed class TalkingPair(ChannelClient first, ChannelClient second, TimeSpan pause) : IAsyncDisposable
{
    private readonly ConcurrentQueue<long> _sentAt = new();
    private readonly List<TimeSpan> _latencies = [];
    private Task _saying = Task.CompletedTask;
    private volatile bool _isOver;
    private volatile int _accepted;
    private volatile int _delivered;

    /// <summary>Messages that the server was heard to accept: it has answered a ping behind each.</summary>
    public int Accepted => _accepted;

    public int Delivered => _delivered;

    /// <summary>When the last was delivered, by <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long LastDelivery { get; private set; }

    /// <summary>When the server ended its channel, behind all that was delivered, by <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public long Over { get; private set; }

    /// <summary>How long each message took; to be read when the talk is over.</summary>
    public IReadOnlyList<TimeSpan> Latencies => _latencies;

    public static async Task<TalkingPair> StartAsync(Trial trial, TimeSpan pause)
    {
        ChannelClient first = await trial.OpenAsync();
        return new TalkingPair(first, await trial.JoinAsync(first.ChannelId), pause);
    }

    /// <summary>Talks until both have had the code. Fails on a reset, on a gap and on an end without the code.</summary>
    public Task TalkAsync()
    {
        _saying = SayAsync();
        return Task.WhenAll(_saying, HearOfAcceptanceAsync(), HearAsync());
    }

    public async ValueTask DisposeAsync()
    {
        await first.DisposeAsync();
        await second.DisposeAsync();
    }

    private async Task SayAsync()
    {
        for (int i = 0; !_isOver; i++)
        {
            string number = i.ToString(CultureInfo.InvariantCulture);
            _sentAt.Enqueue(Stopwatch.GetTimestamp());
            await first.SendAsync(ClientFrame.Text(number), ClientFrame.Ping(Encoding.ASCII.GetBytes(number)));
            await Task.Delay(pause);
        }
    }

    private async Task HearOfAcceptanceAsync()
    {
        while (await first.ReadFrameAsync() is var frame && frame.FirstOctet != Frame.Close)
        {
            Assert.True(frame.FirstOctet == Frame.Pong, $"Expected an answer to a ping, got: {frame}");
            _accepted = int.Parse(frame.PayloadText, CultureInfo.InvariantCulture) + 1;
        }
        await LeaveAsync(first);
    }

    private async Task HearAsync()
    {
        Frame frame;
        while ((frame = await second.ReadFrameAsync()).FirstOctet == Frame.Text)
        {
            using JsonDocument envelope = JsonDocument.Parse(frame.Payload);
            Assert.Equal(_delivered.ToString(CultureInfo.InvariantCulture), envelope.RootElement.GetProperty("message").GetString());
            Assert.True(_sentAt.TryDequeue(out long sentAt));
            _latencies.Add(Stopwatch.GetElapsedTime(sentAt));
            LastDelivery = Stopwatch.GetTimestamp();
            _delivered++;
        }
        Over = Stopwatch.GetTimestamp();
        Golden.AssertFrame("close-1001", frame);
        await LeaveAsync(second);
    }

    /// <summary>Answers the close. Behind the answer nothing may be sent, or it would find a closed socket and be answered with a reset.</summary>
    private async Task LeaveAsync(ChannelClient client)
    {
        _isOver = true;
        await _saying;
        await client.SendAsync(ClientFrame.Close(1001));
        await client.Connection.ExpectEndAsync();
    }
}
