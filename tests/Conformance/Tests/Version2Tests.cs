using System.Net;
using System.Text.Json;
using ChannelServer.Conformance.Wire;

namespace ChannelServer.Conformance.Tests;

/// <summary>Version 2: how it is asked for, its greeting, its messages, its acknowledgements.</summary>
public sealed class Version2Tests(Servers servers)
{
    private const string NoLimit = "--max_exchanges=0";
    private const string Agent = "User-Agent: example/1.0";

    [Theory]
    [InlineData("Sec-WebSocket-Protocol: channelserver.v2")]
    [InlineData("Sec-WebSocket-Protocol: chat, channelserver.v2, superchat")]
    [InlineData("Sec-WebSocket-Protocol:chat,channelserver.v2")]
    [InlineData("sec-websocket-protocol: channelserver.v2 \t,")]
    [InlineData("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: channelserver.v2")]
    public async Task It_is_offered_among_others_and_answered_alone(params string[] headers)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(new UpgradeRequest().With(headers).ToBytes());
        HttpResponse response = await connection.ReadResponseAsync();
        Assert.Equal(101, response.Status);
        Assert.Equal("channelserver.v2", response["Sec-WebSocket-Protocol"]);
        await using ChannelClient client = await ChannelClient.GreetedAsync(connection);
        Golden.AssertGreeting("v2-greeting", client.Greeting, client.ChannelId);
    }

    [Theory]
    [InlineData("chat")]
    [InlineData("channelserver.v1")]
    [InlineData("channelserver.v22")]
    [InlineData("xchannelserver.v2")]
    [InlineData("ChannelServer.V2")]
    [InlineData("channelserver.v2;q=1")]
    [InlineData("")]
    public async Task Another_name_gets_version_1_and_no_answer(string names)
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync(new UpgradeRequest().With($"Sec-WebSocket-Protocol: {names}").ToBytes());
        HttpResponse response = await connection.ReadResponseAsync();
        Assert.Equal(101, response.Status);
        Assert.False(response.Has("Sec-WebSocket-Protocol"));
        await using ChannelClient client = await ChannelClient.GreetedAsync(connection);
        Golden.AssertGreeting("greeting", client.Greeting, client.ChannelId);
    }

    [Fact]
    public async Task It_may_be_asked_for_by_a_later_request_of_a_connection()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using RawConnection connection = await RawConnection.ConnectAsync(server.Address);
        await connection.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n\r\n");
        Assert.Equal(200, (await connection.ReadResponseAsync()).Status);
        await connection.SendAsync(new UpgradeRequest().With(ChannelClient.VersionTwo, Agent).ToBytes());
        HttpResponse response = await connection.ReadResponseAsync();
        Assert.Equal(101, response.Status);
        Assert.Equal("channelserver.v2", response["Sec-WebSocket-Protocol"]);
        await using ChannelClient first = await ChannelClient.GreetedAsync(connection);
        Golden.AssertGreeting("v2-greeting", first.Greeting, first.ChannelId);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        Golden.AssertGreeting("v2-greeting-joined", second.Greeting, first.ChannelId);
        await first.ExpectPeerAsync("2", "joined");

        // And so may a seat that was lost.
        first.Connection.Reset();
        await second.ExpectPeerAsync("1", "away");
        await using RawConnection later = await RawConnection.ConnectAsync(server.Address);
        await later.SendAsync("GET /__lbheartbeat__ HTTP/1.1\r\nHost: channel.example\r\n\r\n");
        Assert.Equal(200, (await later.ReadResponseAsync()).Status);
        await later.SendAsync(new UpgradeRequest(ChannelClient.ResumeTarget(first.ChannelId, first.Token)).With(ChannelClient.VersionTwo).ToBytes());
        Assert.Equal(101, (await later.ReadResponseAsync()).Status);
        await using ChannelClient back = await ChannelClient.GreetedAsync(later);
        await second.ExpectPeerAsync("1", "back");
        await back.SendTextAsync("here again");
        await second.ExpectMessageAsync(1, "1", "here again");
    }

    [Fact]
    public async Task The_greeting_tells_who_is_there_whatever_their_version()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        ServerUnderTest.RequireOwnProcess("to know its own address as the server sees it");
        await using ChannelClient first = await ChannelClient.OpenAsync(server, null, Agent);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        Golden.AssertGreeting("v2-greeting-joined", second.Greeting, first.ChannelId);
        await using ChannelClient third = await Version2.JoinAsync(server, first.ChannelId);
        using JsonDocument json = JsonDocument.Parse(third.Greeting.Payload);
        Assert.Equal(
            ["1 here", "2 here"],
            json.RootElement.GetProperty("peers").EnumerateArray().Select(peer => $"{peer.GetProperty("peer")} {peer.GetProperty("state")}"));
    }

    [Fact]
    public async Task The_greeting_tells_the_limits()
    {
        ServerUnderTest server = await servers.WithAsync("--max_exchanges=7 --max_data=8000 --max_message=900 --conn_lifespan=0");
        await using ChannelClient first = await Version2.OpenAsync(server);
        Assert.Contains(
            ",\"expires_in\":0,\"max_exchanges\":7,\"max_data\":8000,\"max_message\":900,\"received\":0,\"peers\":[]}",
            first.Greeting.PayloadText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_greeting_tells_what_is_left_of_the_lifespan()
    {
        ServerUnderTest server = await servers.WithAsync("--conn_lifespan=100");
        await using ChannelClient first = await Version2.OpenAsync(server);
        Assert.Contains("\"expires_in\":100,", first.Greeting.PayloadText, StringComparison.Ordinal);
        await Task.Delay(1100, TestContext.Current.CancellationToken);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        using JsonDocument json = JsonDocument.Parse(second.Greeting.Payload);
        Assert.InRange(json.RootElement.GetProperty("expires_in").GetInt32(), 80, 99);
    }

    [Fact]
    public async Task Without_resume_the_greeting_has_no_token()
    {
        ServerUnderTest server = await servers.WithAsync("--resume_window=0");
        await using ChannelClient first = await Version2.OpenAsync(server);
        Golden.AssertGreeting("v2-greeting-plain", first.Greeting, first.ChannelId);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        await first.ExpectPeerAsync("2", "joined");
        await second.SendTextAsync("one", "two");
        await first.ExpectMessageAsync(1, "2", "one");
        await first.ExpectMessageAsync(2, "2", "two");
        await second.ExpectAckAsync(2);
        second.Connection.Reset();
        await first.ExpectPeerAsync("2", "left");
    }

    [Fact]
    public async Task A_message_is_exact_and_each_reader_has_numbers_of_its_own()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        ServerUnderTest.RequireOwnProcess("to know its own address as the server sees it");
        await using ChannelClient first = await Version2.OpenAsync(server, null, Agent);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId, null, Agent);
        await first.ExpectPeerAsync("2", "joined");
        await second.SendAsync(Golden.Octets("client-message"));
        Golden.AssertFrame("v2-message", await first.ReadFrameAsync());
        await using ChannelClient third = await Version2.JoinAsync(server, first.ChannelId);
        await third.SendTextAsync("hello");
        await first.ExpectPeerAsync("3", "joined");
        await first.ExpectMessageAsync(2, "3", "hello");
        await second.ExpectAckAsync(1);
        await second.ExpectPeerAsync("3", "joined");
        await second.ExpectMessageAsync(1, "3", "hello");
    }

    [Fact]
    public async Task Only_what_JSON_demands_is_escaped()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await Version2.OpenAsync(server);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        await first.ExpectPeerAsync("2", "joined");
        await second.SendTextAsync(" \"\\/\b\f\n\r\t\u0001\u2028\ud83e\udd8a\" ");
        Assert.StartsWith(
            "{\"type\":\"message\",\"seq\":1,\"peer\":\"2\",\"message\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\u2028\ud83e\udd8a\\\"\",\"sender\":{",
            await first.ReadTextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_acknowledgement_counts_all_accepted_messages()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await Version2.OpenAsync(server);
        // Alone, too: what is kept has been accepted.
        for (int i = 1; i <= 3; i++)
        {
            await first.SendTextAsync("x");
            Frame ack = await first.ReadFrameAsync();
            Assert.Equal($"{{\"type\":\"ack\",\"received\":{i}}}", ack.PayloadText);
            if (i == 3)
                Golden.AssertFrame("v2-ack", ack);
        }
        await first.SendTextAsync([.. Enumerable.Range(0, 7).Select(i => $"{i}")]);
        int last;
        do
        {
            using JsonDocument json = JsonDocument.Parse(await first.ReadTextAsync());
            last = json.RootElement.GetProperty("received").GetInt32();
        }
        while (last < 10);
        await first.ExpectNothingAsync();
    }

    [Fact]
    public async Task A_resume_continues_the_numbers_and_tells_how_things_stand()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        ServerUnderTest.RequireOwnProcess("to know its own address as the server sees it");
        await using ChannelClient first = await Version2.OpenAsync(server, null, Agent);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        await first.SendTextAsync("heard");
        await second.ExpectMessageAsync(1, "1", "heard");
        await second.SendTextAsync("a", "b");
        await first.ExpectPeerAsync("2", "joined");
        await first.ExpectMessageAsync(1, "2", "a");
        await first.ExpectMessageAsync(2, "2", "b");
        first.Connection.Reset();
        await second.ExpectPeerAsync("1", "away");
        second.Connection.Reset();

        await using ChannelClient back = await ChannelClient.ResumeAsync(server, second, 1, null, ChannelClient.VersionTwo);
        Golden.AssertGreeting("v2-greeting-resumed", back.Greeting, first.ChannelId);
        Assert.NotEqual(second.Token, back.Token);
        await back.ExpectNumberAsync(1);
        await using ChannelClient opener = await ChannelClient.ResumeAsync(server, first, null, null, ChannelClient.VersionTwo);
        await back.ExpectPeerAsync("1", "back");
        await opener.SendTextAsync("and on");
        await back.ExpectMessageAsync(2, "1", "and on");
    }

    [Fact]
    public async Task What_received_does_not_count_is_sent_again_and_nothing_is_lost_or_repeated()
    {
        ServerUnderTest server = await servers.WithAsync(NoLimit);
        await using ChannelClient first = await Version2.OpenAsync(server);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        await first.ExpectPeerAsync("2", "joined");
        ChannelClient client = second;
        int sent = 0;
        int heard = 0;
        for (int round = 0; heard < 200; round++)
        {
            // Some frames whole and one torn; then the network is gone, or another one is there.
            byte[] burst = [.. Enumerable.Range(sent, 5).SelectMany(i => ClientFrame.Text($"{i}"))];
            await client.SendAsync(burst[..(round * 7 % burst.Length)]);
            if (round % 2 == 0)
                client.Connection.Reset();
            ChannelClient back = await ChannelClient.ResumeAsync(server, client, 0, null, ChannelClient.VersionTwo);
            await client.DisposeAsync();
            client = back;
            sent = back.Received!.Value;
            for (; heard < sent; heard++)
            {
                JsonElement json;
                do
                    json = await first.ReadJsonAsync();
                while (json.GetProperty("type").GetString() == "peer");
                Assert.Equal($"{heard}", json.GetProperty("message").GetString());
                Assert.Equal(heard + 1, json.GetProperty("seq").GetInt32());
            }
        }
        await client.DisposeAsync();
    }

    [Fact]
    public async Task Both_versions_sit_in_one_channel()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        ServerUnderTest.RequireOwnProcess("to know its own address as the server sees it");
        await using ChannelClient old = await ChannelClient.OpenAsync(server);
        await old.SendTextAsync("kept");
        await old.ExpectNothingAsync();
        await using ChannelClient young = await Version2.JoinAsync(server, old.ChannelId, null, Agent);
        await young.ExpectMessageAsync(1, "1", "kept");
        await using ChannelClient another = await ChannelClient.JoinAsync(server, old.ChannelId);
        await young.ExpectPeerAsync("3", "joined");

        await young.SendAsync(Golden.Octets("client-message"));
        Golden.AssertFrame("envelope", await old.ReadFrameAsync());
        Golden.AssertFrame("envelope", await another.ReadFrameAsync());
        await old.SendTextAsync("to all");
        await young.ExpectMessageAsync(2, "1", "to all");
        await another.ExpectMessagesAsync("to all");

        // Nobody of version 1 ever hears of presence.
        another.Connection.Reset();
        await young.ExpectPeerAsync("3", "away");
        await young.LeaveVersion2Async();
        await old.ExpectNothingAsync();
    }
}

/// <summary>Who is there: <c>peer</c> frames.</summary>
public sealed class PresenceTests(Servers servers)
{
    [Fact]
    public async Task Joined_away_back_and_left_are_told_exactly()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        ServerUnderTest.RequireOwnProcess("to know its own address as the server sees it");
        await using ChannelClient first = await Version2.OpenAsync(server);
        await using ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId, null, "User-Agent: example/1.0");
        Golden.AssertFrame("v2-peer-joined", await first.ReadFrameAsync());
        second.Connection.Reset();
        Golden.AssertFrame("v2-peer-away", await first.ReadFrameAsync());
        await using ChannelClient back = await ChannelClient.ResumeAsync(server, second, null, null, "User-Agent: example/1.0");
        Golden.AssertFrame("v2-peer-back", await first.ReadFrameAsync());
        await back.LeaveAsync();
        Golden.AssertFrame("v2-peer-left", await first.ReadFrameAsync());
    }

    [Fact]
    public async Task A_takeover_tells_back_alone_and_the_new_description()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using Watched watched = await Watched.OpenAsync(server);
        await using ChannelClient back = await watched.ResumeAsync(null, new IPAddress([127, 0, 0, 7]));
        Assert.Equal(
            "{\"type\":\"peer\",\"peer\":\"2\",\"state\":\"back\",\"sender\":{\"remote\":\"127.0.0.7\"}}",
            (await watched.Watcher.ReadFrameAsync()).PayloadText);
        await watched.Watcher.ExpectNothingAsync();
    }

    [Fact]
    public async Task A_number_is_never_given_twice()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await Version2.OpenAsync(server);
        for (int i = 2; i <= 5; i++)
        {
            await using ChannelClient other = await ChannelClient.JoinAsync(server, first.ChannelId);
            await first.ExpectPeerAsync($"{i}", "joined");
            await other.LeaveAsync();
            await first.ExpectPeerAsync($"{i}", "left");
        }
    }

    [Fact]
    public async Task One_who_is_refused_was_never_there()
    {
        ServerUnderTest server = await servers.WithAsync("--max_channel_connections=2");
        await using Watched watched = await Watched.OpenAsync(server);
        await ChannelClient.ExpectNoSeatAsync(server, watched.Client.ChannelId, "close-4409");
        await watched.Watcher.ExpectNothingAsync();
    }

    [Fact]
    public async Task When_the_channel_ends_nobody_is_told_left()
    {
        ServerUnderTest server = await servers.DefaultAsync();
        await using ChannelClient first = await Version2.OpenAsync(server);
        await using ChannelClient second = await Version2.JoinAsync(server, first.ChannelId);
        await first.ExpectPeerAsync("2", "joined");
        await second.SendTextAsync([.. Enumerable.Range(0, 11).Select(i => $"{i}")]);
        for (int i = 0; i < 10; i++)
            await first.ExpectMessageAsync(i + 1, "2", $"{i}");
        await first.ExpectEndFrameAsync("4429");
        await second.ExpectEndFrameAsync("4429");
    }
}
