using System.Text;

namespace ChannelServer.Bench;

/// <summary>What the clients do. All scenarios pair their connections the same way; they differ in what a pair does then.</summary>
internal abstract class Scenario(LoadLoop loop, int messageSize)
{
    // Enough to keep any server busy while it opens thousands, few enough for its listening backlog.
    private const int PairsAtOnce = 64;

    private readonly byte[] _beginning = Encoding.ASCII.GetBytes($$$"""{"message":"{{{ClientFrame.TextOf(messageSize)}}}","sender":{""");
    private readonly byte[] _ending = Encoding.ASCII.GetBytes("\"ua\":\"" + Upgrade.UserAgent + "\"}}");

    protected LoadLoop Loop { get; } = loop;

    /// <summary>One message, framed and masked.</summary>
    protected byte[] Message { get; } = ClientFrame.Build(ClientFrame.Text, Encoding.ASCII.GetBytes(ClientFrame.TextOf(messageSize)));

    /// <summary>Messages or sessions done since the last reset.</summary>
    public long Operations { get; set; }

    /// <summary>Pairs of which both sides hold a greeting.</summary>
    protected int Paired { get; private set; }

    /// <summary>Opens the pairs and has each side of each send the other a message that is checked to the last octet.</summary>
    public List<Pair> Prepare(int count)
    {
        List<Pair> pairs = [];
        while (Paired < count)
        {
            while (pairs.Count < count && pairs.Count - Paired < PairsAtOnce)
                pairs.Add(Begin(pairs.Count));
            int before = Paired;
            Loop.RunUntil(() => Paired > before, TimeSpan.FromSeconds(10), "pairing");
        }
        foreach (Pair[] some in pairs.Chunk(PairsAtOnce))
        {
            foreach (Pair pair in some)
            {
                Loop.Send(pair.First!, Message);
                Loop.Send(pair.Second!, Message);
            }
            Loop.RunUntil(() => Array.TrueForAll(some, static pair => pair.First!.EnvelopeLength > 0 && pair.Second!.EnvelopeLength > 0),
                TimeSpan.FromSeconds(10), "the first messages");
        }
        return pairs;
    }

    /// <summary>A greeting has come.</summary>
    public void Opened(Connection connection, ReadOnlySpan<byte> greeting)
    {
        // Exactly these keys in this order; what a later version adds stands behind them.
        ReadOnlySpan<byte> before = "{\"channelid\":\""u8, between = "\",\"link\":\"/v1/ws/"u8;
        const int IdLength = 22;
        int linkAt = before.Length + IdLength + between.Length;
        if (greeting.Length < linkAt + IdLength + 2
            || !greeting.StartsWith(before)
            || !greeting[(before.Length + IdLength)..].StartsWith(between)
            || !greeting.Slice(linkAt, IdLength).SequenceEqual(greeting.Slice(before.Length, IdLength))
            || greeting[linkAt + IdLength] != '"')
        {
            throw new LoadFailureException($"greeting {Encoding.UTF8.GetString(greeting)}");
        }
        Pair pair = connection.Pair;
        if (pair.Second is null)
        {
            pair.Second = Loop.Open(pair, greeting.Slice(linkAt - Path.Length, Path.Length + IdLength));
            return;
        }
        Paired++;
        BothOpen(pair);
    }

    /// <summary>An envelope has come; the first one of a connection is read in full, later ones must be as long as it was.</summary>
    public void Received(Connection connection, ReadOnlySpan<byte> envelope)
    {
        if (connection.EnvelopeLength == 0)
        {
            Inspect(envelope);
            connection.EnvelopeLength = envelope.Length;
            if (ChecksSeparately)
                return;
        }
        else if (envelope.Length != connection.EnvelopeLength)
        {
            throw new LoadFailureException($"an envelope of another length: {Encoding.UTF8.GetString(envelope)}");
        }
        Delivered(connection);
    }

    /// <summary>A connection has ended as it should.</summary>
    public virtual void Closed(Connection connection)
    {
    }

    /// <summary>Whether the checked first messages are apart from the scenario's own.</summary>
    protected virtual bool ChecksSeparately => true;

    protected virtual void BothOpen(Pair pair)
    {
    }

    protected abstract void Delivered(Connection receiver);

    protected Pair Begin(int index)
    {
        Pair pair = new(index);
        pair.First = Loop.Open(pair, Path);
        return pair;
    }

    private static ReadOnlySpan<byte> Path => "/v1/ws/"u8;

    private void Inspect(ReadOnlySpan<byte> envelope)
    {
        if (!envelope.StartsWith(_beginning)
            || envelope.IndexOf("\"remote\":\"127.0.0."u8) < _beginning.Length
            || !envelope.EndsWith(_ending))
        {
            throw new LoadFailureException($"envelope {Encoding.UTF8.GetString(envelope)}");
        }
    }
}
