using System.Text;
using ChannelServer.WebSockets;
using CsCheck;

namespace ChannelServer.Tests.WebSockets;

public sealed class FrameReaderProperties
{
    private static readonly Gen<string> _text = Gen.OneOf(
        Gen.String[Gen.Char[' ', '~'], 0, 300], Gen.String[Gen.Char['\u00a0', '\ud7ff'], 0, 100], Gen.Const("\U0001F98A\u0000"));

    /// <summary>A message in fragments cut anywhere, inside characters too, with control frames in between.</summary>
    private static readonly Gen<(byte[] Stream, List<string> Events)> _message = Gen.Select(
        _text, Gen.Int[0, 1000].Array[0, 6], Gen.Byte.Array[0, 125].Array[0, 3], Gen.UInt,
        (text, cuts, controls, key) => WriteMessage(Encoding.UTF8.GetBytes(text), cuts, controls, key));

    private static readonly Gen<(byte[] Stream, List<string> Events)> _stream = _message.Array[1, 5].Select(
        messages => (messages.SelectMany(message => message.Stream).ToArray(), messages.SelectMany(message => message.Events).ToList()));

    private static readonly Gen<int[]> _cuts = Gen.Int[0, 2000].Array[0, 20];

    [Fact]
    public void Any_message_any_fragmentation_any_split_gives_the_same_events() =>
        Gen.Select(_stream, _cuts).Sample((stream, cuts) =>
        {
            Assert.Equal(stream.Events, FrameScript.Read(stream.Stream, FrameScript.TextOnly));
            Assert.Equal(stream.Events, FrameScript.Read(stream.Stream, FrameScript.TextOnly, cuts));
            Assert.Equal(stream.Events, FrameScript.ReadByOctets(stream.Stream, FrameScript.TextOnly));
        }, iter: 1000);

    [Fact]
    public void Any_bytes_end_in_order_and_alike_however_they_are_split() =>
        Gen.Select(Gen.Byte.Array[0, 400], _cuts).Sample(AssertAlike, iter: 5000);

    [Fact]
    public void Sound_streams_with_a_few_octets_changed_end_in_order_and_alike() =>
        Gen.Select(_stream, Gen.Select(Gen.Int[0, 3000], Gen.Byte).Array[1, 4], _cuts).Sample((stream, changes, cuts) =>
        {
            byte[] bytes = [.. stream.Stream];
            foreach ((int place, byte octet) in changes)
                bytes[place % bytes.Length] = octet;
            AssertAlike(bytes, cuts);
        }, iter: 3000);

    [Fact]
    public void All_buffers_come_back_wherever_the_stream_ends() =>
        Gen.Select(_stream, Gen.Int[0, 3000]).Sample(
            (stream, end) => { FrameScript.Read(stream.Stream[..(end % stream.Stream.Length)], FrameScript.TextOnly, end / 2); }, iter: 1000);

    private static void AssertAlike(byte[] bytes, int[] cuts)
    {
        foreach (FrameLimits limits in (FrameLimits[])[FrameScript.Any, FrameScript.TextOnly with { MaxMessage = 50, MaxFragments = 2 }])
        {
            List<string> whole = FrameScript.Read(bytes, limits);
            Assert.Equal(whole, FrameScript.Read(bytes, limits, cuts));
            Assert.Equal(whole, FrameScript.ReadByOctets(bytes, limits));
        }
    }

    private static (byte[] Stream, List<string> Events) WriteMessage(byte[] text, int[] cuts, byte[][] controls, uint key)
    {
        List<byte> stream = [];
        List<string> events = [];
        int[] ends = [.. cuts.Select(cut => cut % (text.Length + 1)).Order(), text.Length];
        int start = 0;
        for (int i = 0; i < ends.Length; i++)
        {
            bool isFinal = i == ends.Length - 1;
            stream.AddRange(ClientFrames.Frame(i == 0 ? Opcode.Text : Opcode.Continuation, text[start..ends[i]], isFinal, key));
            events.Add(isFinal ? $"Text {Convert.ToHexString(text)}" : "Fragment");
            start = ends[i];
            if (i >= controls.Length)
                continue;
            bool isPing = i % 2 == 0;
            stream.AddRange(ClientFrames.Frame(isPing ? Opcode.Ping : Opcode.Pong, controls[i], key: key));
            events.Add($"{(isPing ? "Ping" : "Pong")} {Convert.ToHexString(controls[i])}");
        }
        return ([.. stream], events);
    }
}
