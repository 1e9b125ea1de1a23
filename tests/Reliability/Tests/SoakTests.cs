using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>
/// Churn of clients of all temperaments, for as long as <c>SOAK</c> says (<c>90s</c>, <c>10m</c>, <c>1h</c>). The settings are those of a
/// deployment, with shorter times, so that every limit is met.
/// </summary>
public sealed class SoakTests
{
    private static readonly TimeSpan _length = Length(Environment.GetEnvironmentVariable("SOAK") ?? "2m");

    private static readonly string _text = new('x', 300);

    /// <summary>One of a hundred draws picks the temperament by these shares.</summary>
    private static readonly (int Share, string Name, Func<Trial, Random, Task> Live)[] _temperaments =
    [
        (50, "orderly", (trial, random) => PairAsync(trial, random.Next(1, 11), closes: true)),
        (8, "loses its socket and resumes", LoseAsync),
        (2, "is taken over", (trial, _) => TakeOverAsync(trial)),
        (10, "hasty", (trial, _) => PairAsync(trial, 5, closes: false)),
        (5, "exceeds the exchanges", ExceedAsync),
        (5, "vanishes in a message", (trial, _) => VanishAsync(trial)),
        (5, "comes to an unknown channel", (trial, _) => RefusedAsync(trial, "AAAAAAAAAAAAAAAAAAAAAA")),
        (5, "hostile", HostileAsync),
        (4, "floods", (trial, _) => FloodAsync(trial)),
        (3, "silent", (trial, _) => AwaitEndAsync(trial, answers: false)),
        (2, "stays to the end", (trial, _) => AwaitEndAsync(trial, answers: true)),
        (1, "does not read", (trial, _) => StallAsync(trial)),
    ];

    [Fact]
    public async Task Churn_of_all_temperaments_leaves_everything_as_it_was()
    {
        const int PerSecond = 50;
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            // The canary's channel would expire; what it measures is measured by those who pair here.
            HasCanary = false,
            Settings = ["--max_exchanges=10", "--conn_lifespan=20", "--client_timeout=10", "--heartbeat=2"],
            First = WarmUpAsync,
        });
        Stopwatch elapsed = Stopwatch.StartNew();
        List<Task<TimeSpan>> living = [];
        List<TimeSpan> pairings = [];
        int[] counts = new int[_temperaments.Length];
        long warm = 0;
        for (int i = 0; elapsed.Elapsed < _length; i++)
        {
            Random random = new(i);
            int kind = Draw(random.Next(100));
            counts[kind]++;
            living.Add(TimeAsync(() => _temperaments[kind].Live(trial, random), kind == 0));
            foreach (Task<TimeSpan> done in living.Where(life => life.IsCompleted).ToList())
            {
                living.Remove(done);
                if (await done > TimeSpan.Zero)
                    pairings.Add(await done);
            }
            if (warm == 0 && elapsed.Elapsed > _length / 4)
                warm = await ResidentAsync(trial);
            TimeSpan next = TimeSpan.FromSeconds((double)(i + 1) / PerSecond) - elapsed.Elapsed;
            if (next > TimeSpan.Zero)
                await Task.Delay(next);
            // A busy machine makes fewer, rather than more at once.
            while (living.Count(life => !life.IsCompleted) > 500)
                await Task.WhenAny(living.Where(static life => !life.IsCompleted));
        }
        long resident = await ResidentAsync(trial);
        await Task.WhenAll(living);
        int lives = counts.Sum();
        double cpu = ProcessStatus.Cpu(trial.Process.Id) / elapsed.Elapsed;
        Assert.True(trial.Statsd.EndedBy("client_timeout") > 0, $"The silent stayed to the end. {trial.Statsd}");
        Assert.True(resident < warm * 1.15, $"{warm} kB resident after a quarter, {resident} kB at the end.");
        await trial.ConcludeAsync();
        Latencies latencies = new(pairings);
        Assert.True(latencies.At(0.99) < TimeSpan.FromSeconds(Effort.IsFull ? 2 : 15), latencies.ToString());
        Figures.Add($"soak, {elapsed.Elapsed.TotalSeconds:0} s",
            $"{lives:N0} lives, {lives / elapsed.Elapsed.TotalSeconds:0} per second, RSS {warm / 1024.0:0.0} to {resident / 1024.0:0.0} MB, {cpu:P1} of a core, whole pairings: {latencies}");
    }

    /// <summary>Some of each, so that what they have the server compile does not count. They come no faster than later.</summary>
    private static async Task WarmUpAsync(Trial trial)
    {
        List<Task> living = [];
        for (int i = 0; i < 20 * _temperaments.Length; i++)
        {
            living.Add(_temperaments[i % _temperaments.Length].Live(trial, new Random(i)));
            await Task.Delay(40, TestContext.Current.CancellationToken);
        }
        await Task.WhenAll(living);
    }

    /// <summary>Under way, but without what nobody uses: how much of that there is, is by chance.</summary>
    private static async Task<long> ResidentAsync(Trial trial)
    {
        await trial.Process.CollectAsync();
        return ProcessStatus.ResidentKilobytes(trial.Process.Id);
    }

    private static int Draw(int percent)
    {
        int kind = 0;
        while (percent >= _temperaments[kind].Share)
            percent -= _temperaments[kind++].Share;
        return kind;
    }

    private static async Task<TimeSpan> TimeAsync(Func<Task> live, bool counts)
    {
        long start = Stopwatch.GetTimestamp();
        await live();
        return counts ? Stopwatch.GetElapsedTime(start) : TimeSpan.Zero;
    }

    private static async Task PairAsync(Trial trial, int messages, bool closes)
    {
        await using ChannelClient first = await trial.OpenAsync();
        await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
        for (int i = 0; i < messages; i++)
        {
            (ChannelClient from, ChannelClient to) = i % 2 == 0 ? (first, second) : (second, first);
            await from.SendTextAsync(_text);
            await to.ExpectMessagesAsync(_text);
        }
        foreach (ChannelClient client in (ChannelClient[])[first, second])
        {
            if (closes)
                await client.LeaveAsync();
            client.Connection.Reset();
        }
    }

    /// <summary>Both lose their sockets again and again. What the one says it has and the other says it needs makes up for it: each message once.</summary>
    private static async Task LoseAsync(Trial trial, Random random)
    {
        ChannelClient first = await trial.OpenAsync();
        ChannelClient second = await trial.JoinAsync(first.ChannelId);
        for (int i = 0; i < 9; i++)
        {
            string text = FormattableString.Invariant($"{i} {_text}");
            int cut = random.Next(5);
            if (cut == 0)
                second.Connection.Reset();
            await first.SendTextAsync(text);
            if (cut == 1)
                second.Connection.Reset();
            if (cut == 2)
            {
                first = await ResumeAsync(trial, first, null);
                if (first.Received == i)
                    await first.SendTextAsync(text);
            }
            if (cut is 0 or 1)
                second = await ResumeAsync(trial, second, i);
            await second.ExpectMessagesAsync(text);
        }
        foreach (ChannelClient client in (ChannelClient[])[first, second])
        {
            await client.LeaveAsync();
            client.Connection.Reset();
        }
    }

    /// <summary>A client comes back while the server thinks that it is there; its earlier socket is told.</summary>
    private static async Task TakeOverAsync(Trial trial)
    {
        await using ChannelClient first = await trial.OpenAsync();
        await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
        await first.SendTextAsync(_text);
        // Read before the claim, which else may come first; the ping behind it is not answered.
        await second.ExpectMessagesAsync(_text);
        await using ChannelClient again = await ChannelClient.ResumeAsync(trial.Server, second, received: 0);
        await second.ExpectCloseAsync("close-4401");
        await again.ExpectMessagesAsync(_text);
        foreach (ChannelClient client in (ChannelClient[])[again, first])
            await client.LeaveAsync();
    }

    private static async Task<ChannelClient> ResumeAsync(Trial trial, ChannelClient lost, int? received)
    {
        lost.Connection.Reset();
        ChannelClient back = await ChannelClient.ResumeAsync(trial.Server, lost, received);
        await lost.DisposeAsync();
        return back;
    }

    private static async Task ExceedAsync(Trial trial, Random random)
    {
        await using ChannelClient first = await trial.OpenAsync();
        await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
        await first.SendTextAsync([.. Enumerable.Repeat(_text, 11 + random.Next(5))]);
        for (int i = 0; i < 10; i++)
            await second.ExpectMessagesAsync(_text);
        await second.ExpectCloseAsync("close-4429");
        Golden.AssertFrame("close-4429", await first.ReadFrameAsync());
        first.Connection.Reset();
        second.Connection.Reset();
    }

    private static async Task VanishAsync(Trial trial)
    {
        await using ChannelClient first = await trial.OpenAsync();
        await using ChannelClient second = await trial.JoinAsync(first.ChannelId);
        await first.SendAsync(ClientFrame.Text(_text)[..100]);
        first.Connection.Reset();
        await second.LeaveAsync();
    }

    private static async Task RefusedAsync(Trial trial, string id)
    {
        await using ChannelClient client = await trial.UpgradeAsync($"/v1/ws/{id}");
        await client.ExpectCloseAsync("close-4404");
    }

    private static async Task HostileAsync(Trial trial, Random random)
    {
        byte[] noise = new byte[random.Next(1, 3000)];
        random.NextBytes(noise);
        await using RawConnection connection = await trial.ConnectAsync();
        // Noise instead of a request, or behind one.
        if (random.Next(2) == 0)
            await connection.SendAsync(new UpgradeRequest().ToBytes(), noise);
        else
            await connection.SendAsync(noise);
        connection.HalfClose();
        await connection.ReadToEndAsync(RawConnection.Patience);
        connection.Reset();
    }

    private static async Task FloodAsync(Trial trial)
    {
        await using ChannelClient client = await trial.OpenAsync();
        // So many that it is a flood even if they take seconds, and less than the server reads behind its end.
        byte[] flood = [.. Enumerable.Repeat(ClientFrame.Pong(new byte[125]), 4000).SelectMany(frame => frame)];
        long start = Stopwatch.GetTimestamp();
        try
        {
            await client.SendAsync(flood);
            Golden.AssertFrame("close-1008-rate", await client.ReadFrameAsync());
        }
        catch (Exception reset) when (reset is IOException or SocketException && Stopwatch.GetElapsedTime(start) > TimeSpan.FromSeconds(1))
        {
            // Who is told reads it soon, or the server waits no longer.
        }
        client.Connection.Reset();
    }

    /// <summary>Stays until the server has enough: of its silence, or of its channel.</summary>
    private static async Task AwaitEndAsync(Trial trial, bool answers)
    {
        await using ChannelClient client = await trial.OpenAsync();
        Frame frame;
        do
        {
            frame = await client.Connection.ReadFrameAsync(TimeSpan.FromSeconds(40));
            if (answers && frame.FirstOctet == Frame.Ping)
                await client.SendAsync(ClientFrame.Pong(frame.Payload));
        }
        while (frame.FirstOctet == Frame.Ping);
        // A server that was late itself by a heartbeat does not hold it against its clients, and a channel ends in any case.
        bool isSilence = !answers && frame.Raw.AsSpan().SequenceEqual(Golden.Octets("close-4408"));
        Golden.AssertFrame(isSilence ? "close-4408" : "close-4410", frame);
        client.Connection.Reset();
    }

    private static async Task StallAsync(Trial trial)
    {
        await using ChannelClient sender = await trial.OpenAsync();
        await using ChannelClient slow = await trial.UpgradeAsync($"/v1/ws/{sender.ChannelId}", receiveBuffer: 4096);
        await slow.ReadGreetingAsync();
        string text = new('x', 60_000);
        for (int i = 0; i < 9; i++)
            await sender.SendTextAsync(text);
        await sender.LeaveAsync();
        // Its end comes by the queue, the stuck write or the channel's lifespan; here it only must not read.
        await Task.Delay(TimeSpan.FromSeconds(8));
        slow.Connection.Reset();
    }

    private static TimeSpan Length(string text) => text[^1] switch
    {
        'h' => TimeSpan.FromHours(Number(text[..^1])),
        'm' => TimeSpan.FromMinutes(Number(text[..^1])),
        's' => TimeSpan.FromSeconds(Number(text[..^1])),
        _ => TimeSpan.FromSeconds(Number(text)),
    };

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
