using ChannelServer.Relay;
using ChannelServer.Tests.WebSockets;

namespace ChannelServer.Tests.Relay;

/// <summary>Seats that outlive their sockets: section "Resume" of the protocol.</summary>
public sealed class ShardResumeTests
{
    private const string Refused = "close 4401 resume refused";

    private readonly ShardHarness _shard = new(resumeWindow: 60);

    private static string Envelope(string text) => $"{{\"message\":\"{text}\",\"sender\":{{}}}}";

    [Fact]
    public void The_greeting_has_a_key_and_envelopes_are_followed_by_a_ping_with_their_number()
    {
        TestClient one = _shard.Open();
        Assert.Equal($"{{\"channelid\":\"{one.ChannelId}\",\"link\":\"/v1/ws/{one.ChannelId}\",\"resume\":\"{one.Token}\"}}", one.Texts.Single());
        Assert.Matches("^[0-9a-f]{32}$", one.Token);
        TestClient two = _shard.Join(one);
        Assert.NotEqual(one.Token, two.Token);
        _shard.Say(one, "a");
        _shard.Feed(one, [.. ClientFrames.Text("b"), .. ClientFrames.Text("c")]);
        Assert.Equal([$"text {Envelope("a")}", "ping 1", $"text {Envelope("b")}", $"text {Envelope("c")}", "ping 3"], two.Frames[1..]);
        // All are acknowledged, so nothing is kept.
        Assert.Equal(0, _shard.Core.KeptBuffersLent);
    }

    [Fact]
    public void A_lost_client_comes_back_and_gets_what_it_missed()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        _shard.Say(two, "mine");
        _shard.Say(one, "got");
        two.PongsHeldBack = true;
        _shard.Say(one, "unsure");
        _shard.Break(two);
        Assert.Equal(1, _shard.Core.HeldCount);
        _shard.Say(one, "missed");
        TestClient back = _shard.Resume(two);
        Assert.Equal(
            $"{{\"channelid\":\"{one.ChannelId}\",\"link\":\"/v1/ws/{one.ChannelId}\",\"received\":1,\"resume\":\"{back.Token}\"}}", back.Texts.First());
        Assert.NotEqual(two.Token, back.Token);
        Assert.Equal(["ping 1", $"text {Envelope("unsure")}", "ping 2", $"text {Envelope("missed")}", "ping 3"], back.Frames[1..]);
        Assert.Equal((1, 2, 0), (_shard.Observer.Resumed, _shard.Observer.Replayed, _shard.Observer.Held));
        _shard.Say(back, "still here");
        Assert.Contains(Envelope("still here"), one.Texts);
        Assert.Equal(0, _shard.Core.KeptBuffersLent);
        Leave(one, back);
        Assert.Equal([ChannelOutcome.Resumed], _shard.Observer.Outcomes);
    }

    [Fact]
    public void Who_says_what_it_has_received_gets_exactly_the_rest()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        two.PongsHeldBack = true;
        foreach (string text in (string[])["a", "b", "c"])
            _shard.Say(one, text);
        _shard.EndInput(two);
        TestClient tooMuch = _shard.Resume(two, more: "&received=4");
        Assert.Equal([Refused], tooMuch.Frames);
        TestClient back = _shard.Resume(two, more: "&received=2");
        Assert.Equal(["ping 2", $"text {Envelope("c")}", "ping 3"], back.Frames[1..]);
        _shard.Break(back);
        // The envelopes before are acknowledged: they are gone, and who lacks them cannot be served.
        Assert.Equal([Refused], _shard.Resume(back, more: "&received=1").Frames);
        Assert.Equal(["ping 3"], _shard.Resume(back, more: "&received=3").Frames[1..]);
    }

    [Theory]
    [InlineData("reset")]
    [InlineData("end")]
    [InlineData("timeout")]
    public void An_unclean_end_holds_the_seat(string how)
    {
        (TestClient one, TestClient two) = _shard.Pair();
        if (how == "timeout")
        {
            two.AnswersPings = false;
            _shard.Advance(30);
            Assert.Equal("close 4408 client timeout", two.Frames[^1]);
        }
        else if (how == "end")
        {
            _shard.EndInput(two);
        }
        else
        {
            _shard.Break(two);
        }
        Assert.Equal(1, _shard.Core.HeldCount);
        Assert.StartsWith("text {\"channelid\"", _shard.Resume(two).Frames[0], StringComparison.Ordinal);
        Assert.Equal(SessionPhase.Open, one.Phase);
    }

    [Fact]
    public void A_clean_close_and_a_fault_give_the_seat_up()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        _shard.Feed(two, ClientFrames.Close(1000));
        Assert.Equal([Refused], _shard.Resume(two).Frames);
        TestClient three = _shard.Join(one);
        _shard.Feed(three, ClientFrames.Pong("1"));
        Assert.Equal("close 1002 protocol error", three.Frames[^1]);
        Assert.Equal([Refused], _shard.Resume(three).Frames);
        Assert.Equal(0, _shard.Core.HeldCount);
    }

    [Fact]
    public void The_window_ends_and_the_channel_with_the_last_seat()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        _shard.Break(two);
        _shard.Advance(59);
        TestClient back = _shard.Resume(two);
        _shard.Break(back);
        _shard.Break(one);
        Assert.Equal((2, 1), (_shard.Core.HeldCount, _shard.Core.ChannelCount));
        _shard.Advance(60);
        Assert.Equal([Refused], _shard.Resume(back).Frames);
        _shard.Advance(2);
        _shard.AssertEmpty();
        Assert.Equal([ChannelOutcome.Dropped], _shard.Observer.Outcomes);
        Assert.Equal([EndReason.Disconnected], _shard.Observer.ChannelsEnded);
    }

    [Fact]
    public void The_old_key_works_until_the_new_one_is_known_to_have_arrived()
    {
        (_, TestClient two) = _shard.Pair();
        _shard.Break(two);
        string offered = "";
        for (int octets = 0; octets < 150; octets++)
        {
            // The greeting is cut, and the pong to the ping behind it never comes.
            TestClient cut = _shard.Resume(two, window: octets, pongs: false);
            _shard.Break(cut);
            offered = cut.Token.Length > 0 ? cut.Token : offered;
        }
        TestClient back = _shard.Resume(two);
        // Whichever greeting arrived, it had the same key.
        Assert.Equal(offered, back.Token);
        // Its pong has come.
        _shard.Break(back);
        Assert.Equal([Refused], _shard.Resume(two).Frames);
        TestClient again = _shard.Resume(back);
        Assert.NotEqual(back.Token, again.Token);
    }

    [Fact]
    public void The_new_keys_use_spends_the_old_one()
    {
        (_, TestClient two) = _shard.Pair();
        _shard.Break(two);
        TestClient first = _shard.Resume(two, pongs: false);
        _shard.Break(first);
        TestClient second = _shard.Resume(first, pongs: false);
        _shard.Break(second);
        Assert.Equal([Refused], _shard.Resume(two).Frames);
        Assert.NotEqual(Refused, _shard.Resume(first).Frames[0]);
    }

    [Fact]
    public void A_later_claim_takes_the_seat_over()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        two.PongsHeldBack = true;
        _shard.Say(one, "unsure");
        TestClient back = _shard.Resume(two);
        Assert.Equal(Refused, two.Frames[^1]);
        Assert.Equal(EndReason.TakenOver, two.EndedBy);
        Assert.Equal([$"text {Envelope("unsure")}", "ping 1"], back.Frames[2..]);
        // What the earlier socket still says has no effect.
        _shard.Feed(two, [.. ClientFrames.Text("late"), .. ClientFrames.Close(1000)]);
        Assert.DoesNotContain(Envelope("late"), one.Texts);
        _shard.Say(one, "on");
        Assert.Equal($"text {Envelope("on")}", back.Frames[^2]);
        Assert.Equal(0, _shard.Core.HeldCount);
        Leave(one, back);
    }

    [Fact]
    public void A_predecessor_with_a_full_queue_is_cut_and_nothing_comes_twice()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        two.Window = 10;
        _shard.Say(one, "stuck");
        TestClient back = _shard.Resume(two);
        Assert.Equal(SessionPhase.Finished, two.Phase);
        Assert.Empty(two.Frames);
        Assert.Equal([Envelope("stuck")], back.Texts.Skip(1));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0123456789abcdef0123456789abcde")]
    [InlineData("00000000000000000000000000000000")]
    [InlineData("0123456789ABCDEF0123456789ABCDEF")]
    public void A_wrong_key_is_refused_and_changes_nothing(string token)
    {
        (TestClient one, TestClient two) = _shard.Pair();
        _shard.Break(two);
        TestClient refused = _shard.Resume(two, token: token);
        Assert.Equal([Refused], refused.Frames);
        Assert.Equal([(EndReason.ResumeRefused, refused.Address)], _shard.Observer.Refused);
        Assert.Equal([Refused], _shard.Resume(two, more: "&received=x").Frames);
        Assert.Equal([Refused], _shard.Resume(two, more: "&received=99999999999").Frames);
        Assert.Equal([Refused], _shard.Resume(two, version: ProtocolVersion.Two).Frames.Skip(1));
        Assert.NotEqual([Refused], _shard.Resume(two).Frames);
        Assert.Equal(SessionPhase.Open, one.Phase);
    }

    [Fact]
    public void A_replay_counts_against_no_limit_but_the_limits_hold_on()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 2, ConnLifespan = TimeSpan.FromSeconds(100) }, resumeWindow: 60);
        (TestClient one, TestClient two) = shard.Pair();
        two.PongsHeldBack = true;
        shard.Say(one, "a");
        shard.Break(two);
        shard.Say(one, "b");
        TestClient back = shard.Resume(two);
        Assert.Equal([Envelope("a"), Envelope("b")], back.Texts.Skip(1));
        shard.Break(one);
        shard.Advance(99);
        Assert.Equal("ping", back.Frames[^1]);
        shard.Say(back, "c");
        Assert.Equal("close 4429 exchange limit", back.Frames[^1]);
        shard.Advance(5);
        shard.AssertEmpty();
    }

    [Fact]
    public void A_channel_with_held_seats_alone_ends_with_its_lifespan()
    {
        ShardHarness shard = new(new Limits { ConnLifespan = TimeSpan.FromSeconds(40) }, resumeWindow: 60);
        (TestClient one, TestClient two) = shard.Pair();
        shard.Break(one);
        shard.Break(two);
        shard.Advance(39);
        Assert.Equal(1, shard.Core.ChannelCount);
        shard.Advance(1);
        shard.AssertEmpty();
        Assert.Equal([ChannelOutcome.Expired], shard.Observer.Outcomes);
    }

    [Fact]
    public void A_full_channel_gives_a_held_seat_up_to_the_same_address_only()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        TestClient three = _shard.Join(one, "10.0.0.1");
        _shard.Break(two);
        Assert.Equal("close 4409 channel full", _shard.Join(one, "10.0.0.1").Frames[^1]);
        TestClient four = _shard.Join(one, "10.0.0.2");
        Assert.StartsWith("text {\"channelid\"", four.Frames[0], StringComparison.Ordinal);
        Assert.Equal([Refused], _shard.Resume(two).Frames);
        Leave(one, three, four);
    }

    [Fact]
    public void The_only_seat_of_a_channel_is_given_up_without_ending_it()
    {
        ShardHarness shard = new(new Limits { MaxChannelConnections = 1 }, resumeWindow: 60);
        TestClient one = shard.Open();
        shard.Say(one, "kept");
        shard.Break(one);
        TestClient two = shard.Join(one, "10.0.0.1");
        Assert.Equal([Envelope("kept")], two.Texts.Skip(1));
        Assert.Equal(1, shard.Core.ChannelCount);
        Assert.Empty(shard.Observer.ChannelsEnded);
        shard.Feed(two, ClientFrames.Close(1000));
        shard.AssertEmpty();
    }

    [Fact]
    public void A_seat_that_has_moved_makes_its_address_known()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        Assert.Equal("close 4404 channel unavailable", _shard.Join(one, "10.0.0.9").Frames[^1]);
        _shard.Break(two);
        _shard.Resume(two, address: "10.0.0.9");
        Assert.StartsWith("text {\"channelid\"", _shard.Join(one, "10.0.0.9").Frames[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_live_seat_lets_the_oldest_go_and_a_held_one_is_given_up()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 0, OutboundMessages = 3 }, resumeWindow: 60);
        (TestClient one, TestClient two) = shard.Pair();
        two.PongsHeldBack = true;
        for (int i = 1; i <= 5; i++)
            shard.Say(one, $"{i}");
        Assert.Equal(5, two.Texts.Count());
        shard.Break(two);
        Assert.Equal([Refused], shard.Resume(two).Frames);
        TestClient back = shard.Resume(two, more: "&received=3");
        Assert.Equal([Envelope("4"), Envelope("5")], back.Texts.Skip(1));
        shard.Break(back);
        for (int i = 6; i <= 8; i++)
            shard.Say(one, $"{i}");
        Assert.Equal(1, shard.Core.HeldCount);
        shard.Say(one, "9");
        Assert.Equal((0, 1), (shard.Core.HeldCount, shard.Observer.GivenUp));
        Assert.Equal([Refused], shard.Resume(back).Frames);
        Assert.Equal(0, shard.Core.KeptBuffersLent);
    }

    [Fact]
    public void Pongs_that_acknowledge_nothing_are_signs_of_life_and_no_more()
    {
        (TestClient one, TestClient two) = _shard.Pair();
        _shard.Say(one, "a");
        foreach (string payload in (string[])["", "0", "1", "01", "+1", "hello", "12345678901", "1.0"])
            _shard.Feed(two, ClientFrames.Pong(payload));
        Assert.Equal(SessionPhase.Open, two.Phase);
        _shard.Feed(two, ClientFrames.Pong("2"));
        Assert.Equal("close 1002 protocol error", two.Frames[^1]);
    }

    [Fact]
    public void Acknowledgements_cost_no_budget()
    {
        ShardHarness shard = new(new Limits { MaxExchanges = 0, ControlBurst = 100 }, resumeWindow: 60);
        (TestClient one, TestClient two) = shard.Pair();
        for (int i = 0; i < 1000; i++)
            shard.Say(one, "x");
        Assert.Equal(SessionPhase.Open, two.Phase);
        for (int i = 0; i < 100; i++)
            shard.Feed(two, ClientFrames.Pong("1"));
        Assert.Equal("close 1008 rate", two.Frames[^1]);
    }

    [Fact]
    public void With_no_window_nothing_is_held_numbered_or_kept()
    {
        ShardHarness shard = new();
        (TestClient one, TestClient two) = shard.Pair();
        Assert.Equal("", one.Token);
        shard.Say(one, "a");
        shard.Feed(two, ClientFrames.Pong("99"));
        Assert.Equal([$"text {Envelope("a")}"], two.Frames);
        shard.Break(two);
        Assert.Equal((0, 0), (shard.Core.HeldCount, shard.Core.KeptBuffersLent));
        Assert.Equal([Refused], shard.Resume(two, token: new string('a', 32)).Frames);
    }

    private void Leave(params TestClient[] clients)
    {
        foreach (TestClient client in clients)
            _shard.Feed(client, ClientFrames.Close(1000));
        _shard.Advance(120);
        _shard.AssertEmpty();
    }
}
