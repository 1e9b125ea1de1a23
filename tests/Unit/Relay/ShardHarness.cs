using System.Buffers.Binary;
using System.Net;
using System.Text;
using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;
using ChannelServer.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>A shard driven as a driver would, with clients in place of sockets and time that moves when it is told to.</summary>
internal sealed class ShardHarness
{
    private readonly List<TestClient> _clients = [];

    /// <param name="limits">The limits; their <see cref="Limits.ResumeWindow"/> does not count.</param>
    /// <param name="resumeWindow">Seconds for which seats are held. Off unless a test is about that: the frames are Mozilla's then.</param>
    public ShardHarness(Limits? limits = null, double resumeWindow = 0)
    {
        Random random = new(7);
        Core = new Shard(
            0, 1, (limits ?? new Limits()) with { ResumeWindow = TimeSpan.FromSeconds(resumeWindow) }, Observer, random.NextBytes);
    }

    public Shard Core { get; }

    public RecordingObserver Observer { get; } = new();

    public TestClient Open(string? address = "10.0.0.1", SenderMetadata? sender = null, ProtocolVersion version = default)
    {
        TestClient client = Add();
        Core.Open(client, Visitor(address, sender) with { Version = version }, "HEAD"u8);
        Serve();
        return client;
    }

    public TestClient Join(
        TestClient other, string? address = "10.0.0.2", SenderMetadata? sender = null, ProtocolVersion version = default) =>
        Join(other.ChannelId, address, sender, version);

    public TestClient Join(string id, string? address = "10.0.0.2", SenderMetadata? sender = null, ProtocolVersion version = default)
    {
        TestClient client = Add();
        Core.Join(client, Encoding.UTF8.GetBytes(id), Visitor(address, sender) with { Version = version }, "HEAD"u8);
        Serve();
        return client;
    }

    /// <summary>A client comes back, with the key of its last greeting unless told otherwise.</summary>
    public TestClient Resume(
        TestClient lost, string? token = null, string more = "", string? address = "10.0.0.9", ProtocolVersion? version = null, int window = int.MaxValue,
        bool pongs = true)
    {
        TestClient client = Add();
        client.Window = window;
        client.PongsHeldBack = !pongs;
        byte[] query = Encoding.ASCII.GetBytes($"resume={token ?? lost.Token}{more}");
        Visitor visitor = Visitor(address, null) with { Version = version ?? lost.Version, Claim = ResumeClaim.Of(query) };
        Core.Resume(client, Encoding.UTF8.GetBytes(lost.ChannelId), visitor, "HEAD"u8);
        Serve();
        return client;
    }

    /// <summary>Two participants who have seen their greetings.</summary>
    public (TestClient One, TestClient Other) Pair()
    {
        TestClient one = Open();
        TestClient other = Join(one);
        one.Frames.Clear();
        other.Frames.Clear();
        return (one, other);
    }

    public void Say(TestClient client, string text) => Feed(client, ClientFrames.Text(text));

    public void Feed(TestClient client, byte[] bytes)
    {
        Span<byte> input = [.. bytes];
        while (!input.IsEmpty)
        {
            input = input[Core.Receive(client, input)..];
            Serve();
        }
    }

    public void EndInput(TestClient client)
    {
        Core.InputEnded(client);
        Serve();
    }

    public void Break(TestClient client)
    {
        Core.Broken(client);
        Serve();
    }

    public bool EndOldest(int most)
    {
        bool remain = Core.EndOldest(EndReason.ServerShutdown, most);
        Serve();
        return remain;
    }

    /// <summary>Lets a client read again, or that many octets more.</summary>
    public void Drain(TestClient client, int octets = int.MaxValue)
    {
        client.Window = octets;
        Write(client);
        Serve();
    }

    /// <summary>Moves time, stopping at every deadline on the way, as a driver's timer does.</summary>
    public void Advance(double seconds)
    {
        TimeSpan target = Core.Now + TimeSpan.FromSeconds(seconds);
        while (Core.NextDeadline <= target)
        {
            Core.Advance(Core.NextDeadline > Core.Now ? Core.NextDeadline : Core.Now);
            Serve();
        }
        Core.Advance(target);
        Serve();
    }

    /// <summary>When everyone has gone, nothing may be left.</summary>
    public void AssertEmpty()
    {
        Assert.Equal(0, Core.SessionCount);
        Assert.Equal(0, Core.ChannelCount);
        Assert.Equal(0, Core.HeldCount);
        Assert.Equal(0, Observer.Held);
        Assert.Equal(0, Core.BuffersLent);
        Assert.Equal(0, Core.KeptBuffersLent);
        Assert.Equal(TimeSpan.MaxValue, Core.NextDeadline);
        Assert.All(_clients, client => Assert.Equal(SessionPhase.Finished, client.Phase));
        Assert.Equal(Observer.Opened + Observer.Joined + Observer.Resumed, Observer.Ended.Count);
        Assert.Equal(Observer.Opened, Observer.ChannelsEnded.Count);
        Assert.False(Core.TryTakeTouched(out _));
    }

    private static Visitor Visitor(string? address, SenderMetadata? sender) =>
        new(address is null ? null : IPAddress.Parse(address), sender ?? SenderMetadata.Empty, LanguagePriorityList.None);

    private TestClient Add()
    {
        TestClient client = new();
        _clients.Add(client);
        return client;
    }

    private void Serve()
    {
        while (Core.TryTakeTouched(out Session session))
        {
            TestClient client = (TestClient)session;
            client.Phases.Add(client.Phase);
            Write(client);
            if (client.TakePong() is { } pong)
                Feed(client, pong);
        }
    }

    private void Write(TestClient client)
    {
        int octets = Math.Min(client.Unsent.Length, client.Window);
        if (client.Unsent.IsEmpty)
            return;
        client.Take(client.Unsent[..octets]);
        if (client.Window < int.MaxValue)
            client.Window -= octets;
        Core.Sent(client, octets);
    }
}

/// <summary>A client that reads what it is sent, and answers pings as every WebSocket stack does.</summary>
internal sealed class TestClient : Session
{
    private readonly List<byte> _received = [];
    private bool _hasHead;
    private readonly Queue<string> _pongsOwed = new();

    /// <summary>Octets that it will still read; zero for a client that does not read.</summary>
    public int Window { get; set; } = int.MaxValue;

    public bool AnswersPings { get; set; } = true;

    /// <summary>Keeps back the pongs that it owes, until <see cref="PongsHeldBack"/> says otherwise.</summary>
    public bool PongsHeldBack { get; set; }

    /// <summary>What it has read, in order: <c>text ...</c>, <c>ping ...</c>, <c>pong ...</c>, <c>close 1000 ...</c>.</summary>
    public List<string> Frames { get; } = [];

    /// <summary>The phases in which a driver found it touched.</summary>
    public List<SessionPhase> Phases { get; } = [];

    public string ChannelId { get; private set; } = "";

    /// <summary>The key of its greeting; empty when there was none.</summary>
    public string Token { get; private set; } = "";

    /// <summary>What it has read of frames other than control frames.</summary>
    public IEnumerable<string> Texts => Frames.Where(frame => frame.StartsWith("text ", StringComparison.Ordinal)).Select(frame => frame[5..]);

    public void Take(ReadOnlySpan<byte> octets)
    {
        _received.AddRange(octets);
        if (!_hasHead && _received.Count >= 4)
        {
            Assert.Equal("HEAD"u8.ToArray(), _received[..4]);
            _received.RemoveRange(0, 4);
            _hasHead = true;
        }
        while (_hasHead && TryTakeFrame())
        {
        }
    }

    public byte[]? TakePong()
    {
        if (PongsHeldBack)
            return null;
        byte[] pongs = [.. _pongsOwed.SelectMany(payload => ClientFrames.Pong(payload))];
        _pongsOwed.Clear();
        return pongs.Length > 0 && AnswersPings && Phase == SessionPhase.Open ? pongs : null;
    }

    private static string Value(string json, string key)
    {
        int start = json.IndexOf($"\"{key}\":\"", StringComparison.Ordinal);
        return start < 0 ? "" : json[(start + key.Length + 4)..json.IndexOf('"', start + key.Length + 4)];
    }

    private bool TryTakeFrame()
    {
        byte[] bytes = [.. _received];
        if (bytes.Length < 2)
            return false;
        int header = bytes[1] switch { 126 => 4, 127 => 10, _ => 2 };
        if (bytes.Length < header || bytes.Length < FrameWriter.FrameSize(bytes))
            return false;
        int size = FrameWriter.FrameSize(bytes);
        _received.RemoveRange(0, size);
        ReadOnlySpan<byte> payload = bytes.AsSpan(header..size);
        string text = Encoding.UTF8.GetString(payload);
        switch (bytes[0])
        {
            case 0x81:
                Frames.Add($"text {text}");
                if (text.Contains("\"channelid\":\"", StringComparison.Ordinal))
                    (ChannelId, Token) = (Value(text, "channelid"), Value(text, "resume"));
                break;
            case 0x89:
                _pongsOwed.Enqueue(text);
                Frames.Add(text.Length == 0 ? "ping" : $"ping {text}");
                break;
            case 0x8A:
                Frames.Add($"pong {text}");
                break;
            case 0x88:
                Frames.Add(payload.IsEmpty ? "close" : $"close {BinaryPrimitives.ReadUInt16BigEndian(payload)} {Encoding.UTF8.GetString(payload[2..])}");
                break;
            default:
                Assert.Fail($"no frame of a server: {bytes[0]:X2}");
                break;
        }
        return true;
    }
}
