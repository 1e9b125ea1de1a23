using System.Diagnostics;
using System.Net.Sockets;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>SIGTERM with many connections, and messages on their way to all of them.</summary>
public sealed class DrainTests
{
    /// <summary>Who has not asked by then may find a door that was held open for 250 ms, and closed.</summary>
    private static readonly TimeSpan _soon = TimeSpan.FromMilliseconds(100);

    [Fact]
    public async Task Everyone_gets_what_was_accepted_and_the_code_within_the_window()
    {
        int pairs = Effort.Of(250, 2500);
        TimeSpan window = TimeSpan.FromSeconds(Effort.Of(3, 20));
        // The canary would be told to go like everybody else.
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            // The first ones say nothing until the last are there.
            Settings = [$"--drain_window={window.TotalSeconds}", "--client_timeout=600"],
            HasCanary = false,
        });
        List<(ChannelClient First, ChannelClient Second)> all = [];
        for (int i = 0; i < pairs; i++)
        {
            ChannelClient first = await trial.OpenAsync();
            all.Add((first, await trial.JoinAsync(first.ChannelId)));
        }
        string[] texts = [.. Enumerable.Range(0, 3).Select(i => $"{i} {new string('x', 1000)}")];
        await Task.WhenAll(all.Select(async pair =>
        {
            await pair.First.SendTextAsync(texts);
            // The pong tells that they are accepted. The other has read nothing yet.
            await pair.First.ExpectNothingAsync();
        }));

        Stopwatch waited = Stopwatch.StartNew();
        trial.Process.RequestStop();
        TimeSpan[] ends = await Task.WhenAll(all.Select(async pair =>
        {
            await pair.Second.ExpectMessagesAsync(texts);
            // Fails on a reset, and on an end without the code.
            await ExpectShutdownAsync(pair.Second, window);
            await ExpectShutdownAsync(pair.First, window);
            return waited.Elapsed;
        }));
        await trial.Process.EndedAsync();
        Assert.True(trial.Process.ExitStatus == 0, trial.Process.Tell());
        // Beside other tests a core may be busy for seconds.
        Assert.True(ends.Max() < (window * 1.1) + TimeSpan.FromSeconds(Effort.IsFull ? 0 : 15), $"The last was told after {ends.Max()}.");
        trial.Process.Log.AssertSound([], isBounded: true);
        Assert.Empty(trial.Process.Errors.Lines);
        await Effort.UntilAsync(() => trial.Statsd.Begun == trial.Statsd.Ended, TimeSpan.FromSeconds(5), () => $"I6: {trial.Statsd}");
        Assert.Equal(2 * pairs, trial.Statsd.EndedBy("server_shutdown"));
        Figures.Add($"SIGTERM, {2 * pairs:N0} connections, {3 * pairs:N0} messages in flight, window {window.TotalSeconds:0} s",
            $"every message and the code to all, the last after {ends.Max().TotalSeconds:0.0} s");
    }

    /// <summary>The invariants on others while the server drains: until its own end nobody notices.</summary>
    [Fact]
    public async Task Pairs_talk_on_until_their_end_and_lose_nothing()
    {
        int pairs = Effort.Of(40, 400);
        TimeSpan grace = TimeSpan.FromSeconds(1), window = TimeSpan.FromSeconds(Effort.Of(4, 20));
        await using Trial trial = await Trial.StartAsync(new TrialOptions
        {
            Settings = [$"--drain_grace={grace.TotalSeconds}", $"--drain_window={window.TotalSeconds}"],
            HasCanary = false,
            IsCalm = true,
        });
        List<TalkingPair> all = [];
        for (int i = 0; i < pairs; i++)
            all.Add(await TalkingPair.StartAsync(trial, TimeSpan.FromMilliseconds(100)));
        Task talking = Task.WhenAll(all.Select(pair => pair.TalkAsync()));
        await Effort.UntilAsync(() => talking.IsFaulted || all.TrueForAll(pair => pair.Accepted > 2), TimeSpan.FromSeconds(30), () => "They do not talk.");

        long told = Stopwatch.GetTimestamp();
        trial.Process.RequestStop();
        await talking;
        await trial.Process.EndedAsync();
        Assert.True(trial.Process.ExitStatus == 0, trial.Process.Tell());
        Assert.All(all, pair => Assert.InRange(pair.Accepted, 3, pair.Delivered));
        // The first ones end behind the grace, the last at the end of the window: until then they talk.
        TimeSpan[] ends = [.. all.Select(pair => Stopwatch.GetElapsedTime(told, pair.Over)).Order()];
        Assert.True(ends[0] > grace * 0.5, $"The first was cut off after {ends[0]}.");
        TimeSpan last = all.Max(pair => Stopwatch.GetElapsedTime(told, pair.LastDelivery));
        Assert.True(last > grace + (window * 0.7), $"The last was cut off after {last}.");
        Latencies latencies = new(all.SelectMany(pair => pair.Latencies));
        Assert.True(latencies.At(0.99) <= Effort.SlowestCanary(isCalm: true), $"I1: {latencies}");
        trial.Process.Log.AssertSound([], isBounded: true);
        Assert.Empty(trial.Process.Errors.Lines);
        await Effort.UntilAsync(() => trial.Statsd.Begun == trial.Statsd.Ended, TimeSpan.FromSeconds(5), () => $"I6: {trial.Statsd}");
        Assert.Equal(2 * pairs, trial.Statsd.EndedBy("server_shutdown"));
        foreach (TalkingPair pair in all)
            await pair.DisposeAsync();
        Figures.Add($"SIGTERM, {pairs:N0} pairs talking on, grace {grace.TotalSeconds:0} s, window {window.TotalSeconds:0} s",
            $"{all.Sum(pair => pair.Accepted):N0} accepted, {all.Sum(pair => pair.Delivered):N0} delivered, ends after {ends[0].TotalSeconds:0.0} to {ends[^1].TotalSeconds:0.0} s, {latencies}");
    }

    /// <summary>Who is at the door when it closes hears that it is too late; the kernel would reset it with the listener.</summary>
    [Fact]
    public async Task Who_comes_in_the_last_moment_is_told_and_not_reset()
    {
        int reset = 0, told = 0;
        for (int round = 0; round < Effort.Of(3, 20); round++)
        {
            await using Trial trial = await Trial.StartAsync(new TrialOptions { Settings = ["--drain_window=0.1"], HasCanary = false });
            Task<(int Told, int Reset)>[] comers = [.. Enumerable.Range(0, 16).Select(_ => ComeAsync(trial))];
            trial.Process.RequestStop();
            foreach ((int Told, int Reset) comer in await Task.WhenAll(comers))
                (told, reset) = (told + comer.Told, reset + comer.Reset);
            await trial.Process.EndedAsync();
            Assert.True(trial.Process.ExitStatus == 0, trial.Process.Tell());
        }
        Figures.Add($"16 who connect again and again while the server stops", $"{told:N0} answered, {reset} reset");
        Assert.True(told > 0);
        // Between the last look into the queue and the end of the listener there is an instant.
        Assert.InRange(reset, 0, 2);
    }

    /// <summary>Comes again and again until nobody listens any more.</summary>
    private static async Task<(int Told, int Reset)> ComeAsync(Trial trial)
    {
        byte[] request = new UpgradeRequest().ToBytes();
        int told = 0, reset = 0;
        while (true)
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            long came = Stopwatch.GetTimestamp();
            try
            {
                await socket.ConnectAsync(trial.Server.Address);
            }
            catch (SocketException)
            {
                return (told, reset);
            }
            TimeSpan asked = TimeSpan.MaxValue;
            try
            {
                byte[] answer = new byte[12];
                await socket.SendAsync(request);
                asked = Stopwatch.GetElapsedTime(came);
                int read = await socket.ReceiveAsync(answer);
                Assert.True(read == 0 || Encoding.ASCII.GetString(answer) is "HTTP/1.1 101" or "HTTP/1.1 503", Encoding.ASCII.GetString(answer));
                told += Math.Sign(read);
                reset += read == 0 && asked < _soon ? 1 : 0;
            }
            catch (SocketException)
            {
                reset += asked < _soon ? 1 : 0;
            }
        }
    }

    private static async Task ExpectShutdownAsync(ChannelClient client, TimeSpan window)
    {
        Frame frame;
        do
            frame = await client.Connection.ReadFrameAsync(window + RawConnection.Patience);
        while (frame.FirstOctet == Frame.Ping);
        Golden.AssertFrame("close-1001", frame);
        await client.SendAsync(ClientFrame.Close(1001));
        await client.Connection.ExpectEndAsync();
        await client.DisposeAsync();
    }
}
