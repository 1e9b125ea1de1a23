using System.Net;

namespace ChannelServer.Reputation;

/// <summary>What is known of an address.</summary>
internal enum Standing : byte
{
    /// <summary>Nothing yet.</summary>
    Unknown,

    /// <summary>It is welcome, or nobody could tell otherwise.</summary>
    Good,

    /// <summary>Its reputation is below <c>iprep_min</c>.</summary>
    Bad,
}

/// <summary>
/// Who has a bad name, as far as it has been asked lately. Bounded: the oldest answer goes first. Safe for any thread.
/// </summary>
/// <param name="client">Asks.</param>
/// <param name="least">The least reputation that is welcome.</param>
/// <param name="time">The clock.</param>
internal sealed class ReputationList(ReputationClient client, int least, TimeProvider time)
{
    /// <summary>Answers that are remembered.</summary>
    public const int MaxAnswers = 65_536;

    /// <summary>Addresses that are asked for at a time. One more is welcome unasked.</summary>
    public const int MaxAsked = 1024;

    /// <summary>How long an answer is believed.</summary>
    public static readonly TimeSpan AnswerLife = TimeSpan.FromMinutes(5);

    /// <summary>How long nobody is asked again when there was no answer, so that a client that comes often does not wait often.</summary>
    public static readonly TimeSpan SilenceLife = TimeSpan.FromSeconds(10);

    private readonly long _started = time.GetTimestamp();
    private readonly Lock _gate = new();
    private readonly Dictionary<IPAddress, Answer> _answers = [];
    private readonly Queue<IPAddress> _oldest = new();
    private readonly Dictionary<IPAddress, Task<Standing>> _asked = [];

    /// <summary>Answers that are remembered now.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _answers.Count;
        }
    }

    /// <summary>What is known of an address.</summary>
    public Standing Find(IPAddress address)
    {
        TimeSpan now = time.GetElapsedTime(_started);
        lock (_gate)
            return _answers.TryGetValue(address, out Answer answer) && answer.Until > now ? answer.Standing : Standing.Unknown;
    }

    /// <summary>Asks about an address, once for all who want to know at the same time.</summary>
    /// <returns>Never <see cref="Standing.Unknown"/>: who cannot be told is welcome.</returns>
    public Task<Standing> AskAsync(IPAddress address)
    {
        lock (_gate)
        {
            if (_asked.TryGetValue(address, out Task<Standing>? asking))
                return asking;
            if (_asked.Count >= MaxAsked)
                return Task.FromResult(Standing.Good);
            // Under the lock it only starts; what follows the answer takes the lock anew, on another thread.
            asking = Task.Run(() => LookUpAsync(address));
            _asked.Add(address, asking);
            return asking;
        }
    }

    private async Task<Standing> LookUpAsync(IPAddress address)
    {
        int? reputation = null;
        try
        {
            reputation = await client.GetReputationAsync(address);
        }
        finally
        {
            Remember(address, reputation);
        }
        return StandingOf(reputation);
    }

    private Standing StandingOf(int? reputation) => reputation < least ? Standing.Bad : Standing.Good;

    private void Remember(IPAddress address, int? reputation)
    {
        TimeSpan until = time.GetElapsedTime(_started) + (reputation is null ? SilenceLife : AnswerLife);
        lock (_gate)
        {
            _asked.Remove(address);
            if (!_answers.ContainsKey(address))
            {
                if (_answers.Count >= MaxAnswers)
                    _answers.Remove(_oldest.Dequeue());
                _oldest.Enqueue(address);
            }
            _answers[address] = new Answer(StandingOf(reputation), until);
        }
    }

    private readonly record struct Answer(Standing Standing, TimeSpan Until);
}
