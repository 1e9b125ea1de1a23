using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Text.Json;
using ChannelServer.Relay;
using static ChannelServer.Fuzz.FuzzTargets;

namespace ChannelServer.Fuzz;

/// <summary>A session whose socket takes as many octets as the fuzzer lets it.</summary>
internal sealed class FuzzSession : Session
{
    private readonly ArrayBufferWriter<byte> _received = new();

    /// <summary>Octets that the socket takes before it is full.</summary>
    public int Capacity { get; set; } = 4096;

    /// <summary>A string of the greeting, which stands at the start of what is unsent; empty when it has none.</summary>
    public byte[] Value(ReadOnlySpan<byte> key)
    {
        int start = Unsent.IndexOf([(byte)'"', .. key, .. "\":\""u8]);
        if (start < 0)
            return [];
        ReadOnlySpan<byte> value = Unsent[(start + key.Length + 4)..];
        return value[..value.IndexOf((byte)'"')].ToArray();
    }

    public void Serve(Shard shard)
    {
        while (!Unsent.IsEmpty && Phase != SessionPhase.Finished)
        {
            int taken = Math.Min(Capacity, Unsent.Length);
            _received.Write(Unsent[..taken]);
            Capacity -= taken;
            shard.Sent(this, taken);
            if (taken == 0)
                return;
        }
    }

    /// <summary>What the client has got is frames as a server sends them, the last one perhaps cut, nothing behind a close.</summary>
    public void CheckReceived()
    {
        ReadOnlySpan<byte> rest = _received.WrittenSpan;
        while (rest.Length >= 2)
        {
            int length = rest[1];
            int size = length < 126 ? 2 : 4;
            Check(length <= 126);
            if (rest.Length < size)
                return;
            if (size == 4)
            {
                length = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
                Check(length >= 126);
            }
            Check(rest[0] is 0x81 or 0x88 or 0x89 or 0x8A);
            Check(rest[0] == 0x81 || length <= 125);
            if (rest.Length < size + length)
                return;
            ReadOnlySpan<byte> payload = rest.Slice(size, length);
            if (rest[0] == 0x81)
                CheckMessage(payload);
            bool isClose = rest[0] == 0x88;
            rest = rest[(size + length)..];
            Check(!isClose || rest.IsEmpty);
        }
    }

    private static void CheckMessage(ReadOnlySpan<byte> payload)
    {
        Utf8JsonReader reader = new(payload);
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
                Check(reader.GetString() is "channelid" or "link" or "message" or "sender" or "resume" or "received"
                    or "type" or "expires_in" or "max_exchanges" or "max_data" or "max_message" or "peers" or "peer" or "state" or "seq" or "code" or "reason" or "retry");
        }
    }
}

/// <summary>Counts, and passes a bug on.</summary>
internal sealed class FuzzObserver : IRelayObserver
{
    public int Begun { get; private set; }

    public int Ended { get; private set; }

    public int Held { get; private set; }

    public void SessionBegan(SessionStart start) => Begun++;

    public void SessionRefused(EndReason reason, IPAddress? address)
    {
    }

    public void SessionEnded(in SessionEnd session) => Ended++;

    public void SeatHeld() => Held++;

    public void SeatReleased(bool resumed) => Held--;

    public void Replayed(int envelopes)
    {
    }

    public void ChannelEnded(EndReason reason, ChannelOutcome outcome)
    {
    }

    public void Failed(Exception exception) => throw new FuzzException($"the shard failed: {exception}");
}
