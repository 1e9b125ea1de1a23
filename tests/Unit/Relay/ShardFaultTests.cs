using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>A bug of ours costs one channel, and no other.</summary>
public sealed class ShardFaultTests
{
    private readonly ShardHarness _shard = new();

    [Fact]
    public void A_fault_while_relaying_ends_that_channel_with_1011_and_no_other()
    {
        TestClient one = _shard.Open(sender: new Broken());
        TestClient other = _shard.Join(one);
        (TestClient bystander, TestClient friend) = _shard.Pair();
        _shard.Say(one, "x");
        Assert.Equal("close 1011 internal error", one.Frames[^1]);
        Assert.Equal("close 1011 internal error", other.Frames[^1]);
        Assert.IsType<InvalidOperationException>(Assert.Single(_shard.Observer.Failures));
        _shard.Say(bystander, "y");
        Assert.Contains("\"y\"", friend.Frames[^1], StringComparison.Ordinal);
        _shard.Break(bystander);
        _shard.Break(friend);
        _shard.Advance(2);
        _shard.AssertEmpty();
    }

    [Theory]
    [InlineData("close"), InlineData("limit"), InlineData("silence"), InlineData("lifespan"), InlineData("disconnect"), InlineData("shutdown")]
    public void An_observer_that_throws_costs_nobody_anything(string end)
    {
        (TestClient one, TestClient other) = _shard.Pair();
        InvalidOperationException fault = new();
        _shard.Observer.Fault = fault;
        switch (end)
        {
            case "close":
                _shard.Feed(one, ClientFrames.Close(1000));
                Assert.Equal(["close 1000 "], one.Frames);
                break;
            case "limit":
                for (int i = 0; i < 11; i++)
                    _shard.Say(one, "x");
                break;
            case "silence":
                one.AnswersPings = false;
                _shard.Advance(30);
                Assert.Equal("close 4408 client timeout", one.Frames[^1]);
                break;
            case "disconnect":
                _shard.EndInput(one);
                break;
            case "shutdown":
                _shard.EndOldest(10);
                break;
            default:
                break;
        }
        _shard.Advance(400);
        Assert.StartsWith("close", other.Frames[^1], StringComparison.Ordinal);
        Assert.Equal([fault], _shard.Observer.Failures);
        _shard.AssertEmpty();
    }

    [Fact]
    public void An_observer_that_throws_at_a_beginning_costs_nobody_anything()
    {
        _shard.Observer.Fault = new InvalidOperationException();
        TestClient one = _shard.Open();
        _shard.Observer.Fault = new InvalidOperationException();
        TestClient other = _shard.Join(one);
        _shard.Observer.Fault = new InvalidOperationException();
        Assert.Equal(["close 4404 channel unavailable"], _shard.Join("nowhere").Frames);
        _shard.Say(one, "x");
        Assert.Contains("\"x\"", other.Frames[^1], StringComparison.Ordinal);
        Assert.Equal(3, _shard.Observer.Failures.Count);
    }

    [Fact]
    public void A_fault_before_there_is_a_seat_leaves_nothing()
    {
        bool fails = true;
        Random random = new(3);
        Shard core = new(0, 1, new Limits { ResumeWindow = TimeSpan.FromSeconds(60) }, _shard.Observer, octets =>
        {
            if (fails)
                throw new InvalidOperationException("No entropy.");
            random.NextBytes(octets);
        });
        TestClient one = new();
        core.Open(one, new Visitor(null, SenderMetadata.Empty, LanguagePriorityList.None), "HEAD"u8);
        Assert.Equal(SessionPhase.Finished, one.Phase);
        Assert.Equal((0, 0, 0), (core.SessionCount, core.ChannelCount, core.BuffersLent));

        // One who joins: the channel that it was on its way to cannot be trusted any more.
        fails = false;
        TestClient opener = new();
        core.Open(opener, new Visitor(null, SenderMetadata.Empty, LanguagePriorityList.None), "HEAD"u8);
        opener.Take(opener.Unsent);
        core.Sent(opener, opener.Unsent.Length);
        fails = true;
        TestClient two = new();
        core.Join(two, System.Text.Encoding.ASCII.GetBytes(opener.ChannelId), new Visitor(null, SenderMetadata.Empty, LanguagePriorityList.None), "HEAD"u8);
        Assert.Equal((SessionPhase.Finished, EndReason.InternalError), (two.Phase, opener.EndedBy));
        // Harmless for a driver that tells of it too.
        core.Broken(two);
        Assert.Equal((0, 0), (core.SessionCount, core.ChannelCount));
        Assert.Equal(2, _shard.Observer.Failures.Count);
    }

    [Fact]
    public void A_fault_in_a_greeting_ends_what_has_begun()
    {
        TestClient one = _shard.Open(sender: new Broken(), version: ProtocolVersion.Two);
        TestClient two = _shard.Join(one, version: ProtocolVersion.Two);
        Assert.Equal((EndReason.InternalError, EndReason.InternalError), (one.EndedBy, two.EndedBy));
        _shard.Advance(2);
        _shard.AssertEmpty();
    }

    [Fact]
    public void A_fault_while_time_passes_ends_its_channel()
    {
        ShardHarness shard = new(resumeWindow: 10);
        (TestClient one, TestClient two, Broken sender) = PairThatWillBreak(shard);
        (TestClient bystander, TestClient friend) = shard.Pair();
        shard.Break(two);
        sender.IsWell = false;
        // The seat is given up, which the other is told, with a description.
        shard.Advance(11);
        Assert.Equal(EndReason.InternalError, one.EndedBy);
        shard.Say(bystander, "y");
        Assert.Contains("\"y\"", friend.Texts.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public void After_a_fault_in_what_is_told_of_a_peer_others_are_told_again()
    {
        ShardHarness shard = new(resumeWindow: 10);
        (_, TestClient two, Broken sender) = PairThatWillBreak(shard);
        TestClient bystander = shard.Open(version: ProtocolVersion.Two);
        TestClient friend = shard.Join(bystander);
        sender.IsWell = false;
        // As a driver does with it.
        Exception bug = Assert.ThrowsAny<Exception>(() => shard.Core.Broken(two));
        shard.Core.Failed(two, bug);
        Assert.Equal(SessionPhase.Finished, two.Phase);
        shard.Break(friend);
        Assert.Contains("\"away\"", bystander.Texts.Last(), StringComparison.Ordinal);
    }

    /// <summary>Two of version 2, one of whom cannot be described any more once that is said.</summary>
    private static (TestClient One, TestClient Two, Broken Sender) PairThatWillBreak(ShardHarness shard)
    {
        Broken sender = new() { IsWell = true };
        TestClient one = shard.Open(version: ProtocolVersion.Two);
        return (one, shard.Join(one, sender: sender, version: ProtocolVersion.Two), sender);
    }

    private sealed class Broken() : SenderMetadata("{}"u8.ToArray())
    {
        public bool IsWell { get; set; }

        public override byte[] ReadBy(LanguagePriorityList receiver) => IsWell ? Utf8Json : throw new InvalidOperationException();
    }
}
