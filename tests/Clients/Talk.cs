using System.Globalization;
using ChannelServer.Client;

namespace ChannelServer.Clients;

/// <summary>What the tests do with clients again and again. Every wait has a deadline.</summary>
internal static class Talk
{
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(30);

    // A sender that is further ahead than this might fill the server's store for a seat that is away.
    private const int Ahead = 16;
    private const int Confirmed = 8;

    /// <summary>Quick to come back.</summary>
    public static ChannelClientOptions Quick { get; } = new()
    {
        BackoffBase = TimeSpan.FromMilliseconds(10),
        BackoffCap = TimeSpan.FromMilliseconds(200),
    };

    public static async Task<ChannelMessage> NextAsync(this ChannelClient client) => await client.ReadAsync().WaitAsync(Patience);

    /// <summary>Waits for the channel's end, and compares.</summary>
    public static async Task ExpectEndAsync(this ChannelClient client, int code, string reason, bool retry) =>
        Assert.Equal(new ChannelEnd(code, reason, retry), await client.Completion.WaitAsync(Patience));

    /// <summary>Completes at the next change of that kind.</summary>
    public static Task<PeerChange> ChangeAsync(this ChannelClient client, PeerNews news)
    {
        TaskCompletionSource<PeerChange> seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        client.PeerChanged += (_, change) =>
        {
            if (change.News == news)
                seen.TrySetResult(change);
        };
        return seen.Task.WaitAsync(Patience);
    }

    public static Task LostAsync(this ChannelClient client)
    {
        TaskCompletionSource seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        client.ConnectionLost += (_, _) => seen.TrySetResult();
        return seen.Task.WaitAsync(Patience);
    }

    public static Task ResumedAsync(this ChannelClient client)
    {
        TaskCompletionSource seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        client.Resumed += (_, _) => seen.TrySetResult();
        return seen.Task.WaitAsync(Patience);
    }

    /// <summary>Both send numbered messages, and confirm every eighth. Each must arrive once, and in order.</summary>
    public static Task ExchangeAsync(ChannelClient first, ChannelClient second, int count) =>
        Task.WhenAll(SideAsync(first, count), SideAsync(second, count)).WaitAsync(TimeSpan.FromSeconds(90));

    private static async Task SideAsync(ChannelClient client, int count)
    {
        int next = 0, expected = 0, told = 0;
        List<Task> sending = [];
        SendUpTo(Ahead);
        await foreach (ChannelMessage message in client.Messages)
        {
            int number = int.Parse(message.Text.AsSpan(1), CultureInfo.InvariantCulture);
            if (message.Text[0] == '+')
            {
                Assert.Equal(told + Confirmed, number);
                told = number;
                SendUpTo(told + Ahead);
            }
            else
            {
                Assert.Equal(expected, number);
                if (++expected % Confirmed == 0)
                    sending.Add(client.SendAsync(string.Create(CultureInfo.InvariantCulture, $"+{expected}")));
            }
            if (expected == count && told == count)
                break;
        }
        Assert.Equal((count, count), (expected, told));
        await Task.WhenAll(sending);

        void SendUpTo(int end)
        {
            while (next < Math.Min(end, count))
                sending.Add(client.SendAsync(string.Create(CultureInfo.InvariantCulture, $"m{next++}")));
        }
    }

    private static async Task<ChannelMessage> ReadAsync(this ChannelClient client)
    {
        await foreach (ChannelMessage message in client.Messages)
            return message;
        throw new InvalidOperationException("The channel ended.");
    }
}
