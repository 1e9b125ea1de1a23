using System.Net;
using System.Runtime.CompilerServices;
using ChannelServer.Relay;
using ChannelServer.WebSockets;
using static ChannelServer.Fuzz.FuzzTargets;

namespace ChannelServer.Fuzz;

/// <summary>
/// A whole shard, as a driver uses it. The first octet chooses the limits; then comes one step after the other: a session (three bits), what
/// happens to it (three bits), how much of it (an octet). No session fails, each is sent nothing but sound frames, and when all have gone
/// nothing of them is left.
/// </summary>
internal static class ShardTarget
{
    private const int MostSessions = 8;

    public static void Run(ReadOnlySpan<byte> octets)
    {
        FuzzInput input = new(octets);
        FuzzObserver observer = new();
        Shard shard = new(0, 1, LimitsOf(input.TakeByte()), observer, new CountingSource().Fill);
        FuzzSession?[] sessions = new FuzzSession?[MostSessions];
        TimeSpan now = TimeSpan.Zero;
        byte[] channel = [];
        List<byte[]> keys = [];
        while (!input.IsEmpty)
        {
            byte step = input.TakeByte();
            int amount = input.TakeByte();
            ref FuzzSession? session = ref sessions[step & 7];
            if (session is null || session.Phase == SessionPhase.Finished)
            {
                session?.CheckReceived();
                session = Seat(shard, amount, keys, ref channel);
            }
            switch ((step >> 3) & 7)
            {
                case 0 or 1 or 2:
                    Feed(shard, session, input.Take(amount).ToArray());
                    break;
                case 3:
                    session.Capacity = amount * 64;
                    session.Serve(shard);
                    break;
                case 4:
                    shard.InputEnded(session);
                    break;
                case 5:
                    shard.Broken(session);
                    break;
                case 6:
                    now += TimeSpan.FromMilliseconds(amount * 40);
                    Advance(shard, now);
                    break;
                default:
                    if (amount >= 0xF0)
                        shard.EndOldest(EndReason.ServerShutdown, amount & 3);
                    break;
            }
            ServeTouched(shard);
            Check(shard.SessionCount == observer.Begun - observer.Ended && shard.HeldCount == observer.Held);
        }
        CheckEnd(shard, sessions, observer, now);
    }

    private static void CheckEnd(Shard shard, FuzzSession?[] sessions, FuzzObserver observer, TimeSpan now)
    {
        foreach (FuzzSession? session in sessions)
        {
            if (session is null)
                continue;
            session.CheckReceived();
            shard.Broken(session);
        }
        ServeTouched(shard);
        Advance(shard, now + TimeSpan.FromHours(1));
        Check(shard.SessionCount == 0 && shard.ChannelCount == 0 && shard.HeldCount == 0 && observer.Held == 0);
        Check(observer.Begun == observer.Ended);
        Check(shard.NextDeadline == TimeSpan.MaxValue);
        Check(Buffers(shard).Lent == 0);
        Check(Partials(shard).Lent == 0);
        Check(shard.KeptBuffersLent == 0);
    }

    private static Limits LimitsOf(byte choice) => new()
    {
        MaxExchanges = (choice & 3) * 5,
        MaxData = (choice & 4) != 0 ? 100 : 0,
        MaxMessage = (choice & 8) != 0 ? 50 : 65536,
        MaxFragments = (choice & 16) != 0 ? 2 : 64,
        Heartbeat = TimeSpan.FromSeconds((choice & 32) != 0 ? 0 : 5),
        OutboundOctets = (choice & 64) != 0 ? 300 : 256 * 1024,
        ControlBurst = (choice & 128) != 0 ? 100 : 128 * 1024,
    };

    private static FuzzSession Seat(Shard shard, int amount, List<byte[]> keys, ref byte[] channel)
    {
        FuzzSession session = new();
        Visitor visitor = new(new IPAddress([192, 0, 2, (byte)(amount & 3)]), SenderMetadata.Empty, LanguagePriorityList.None)
        {
            Version = (amount & 4) != 0 ? ProtocolVersion.Two : ProtocolVersion.One,
        };
        if (channel.Length == 0 || (amount & 0xE0) == 0xE0)
        {
            shard.Open(session, visitor, []);
            channel = session.Value("channelid"u8);
        }
        else if ((amount & 0x80) != 0 && (amount & 0xE0) != 0xC0)
        {
            // One of the keys that were told, or none; who has seen what is chosen too.
            byte[] key = keys.Count == 0 ? [] : keys[amount % keys.Count];
            byte[] query = (amount & 16) != 0 ? [.. "resume="u8, .. key] : [.. "resume="u8, .. key, .. "&received="u8, (byte)('0' + (amount & 7))];
            shard.Resume(session, channel, visitor with { Claim = ResumeClaim.Of(query) }, []);
        }
        else if ((amount & 0xE0) == 0xC0)
        {
            shard.Refuse(session, visitor, [], EndReason.TryAgainLater);
        }
        else
        {
            shard.Join(session, channel, visitor, []);
        }
        if (session.Value("resume"u8) is { Length: > 0 } told)
            keys.Add(told);
        return session;
    }

    private static void Feed(Shard shard, FuzzSession session, Span<byte> bytes)
    {
        while (true)
        {
            int consumed = shard.Receive(session, bytes);
            Check(consumed >= 0 && consumed <= bytes.Length);
            bytes = bytes[consumed..];
            if (bytes.IsEmpty)
                return;
            ServeTouched(shard);
        }
    }

    private static void Advance(Shard shard, TimeSpan now)
    {
        do
        {
            shard.Advance(now);
            ServeTouched(shard);
        }
        while (shard.NextDeadline <= now);
    }

    private static void ServeTouched(Shard shard)
    {
        while (shard.TryTakeTouched(out Session session))
            ((FuzzSession)session).Serve(shard);
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_buffers")]
    private static extern ref BufferPool Buffers(Shard shard);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_partials")]
    private static extern ref PartialMessagePool Partials(Shard shard);

    /// <summary>Ids that differ, the same in every run.</summary>
    private sealed class CountingSource
    {
        private byte _next;

        public void Fill(Span<byte> octets) => octets.Fill(_next++);
    }
}
