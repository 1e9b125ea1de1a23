using System.Net;
using ChannelServer.Admission;
using ChannelServer.Telemetry;
using ChannelServer.Tests.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests.Admission;

/// <summary>The decision about an upgrade, and the parts that need no socket.</summary>
public sealed class AdmissionTests : IDisposable
{
    private static readonly IPAddress _client = IPAddress.Parse("198.51.100.1");
    private readonly FakeTimeProvider _time = new();
    private readonly RelayTelemetry _telemetry = new(NullLogger<RelayTelemetry>.Instance, LogRemote.Net);

    public void Dispose() => _telemetry.Dispose();

    private AdmissionControl Control(
        string origins = "", int opens = 2, int connections = 100, int cap = 100, MemoryPressure? memory = null, int mostInMemory = int.MaxValue)
    {
        Assert.True(AllowedOrigins.TryParse(origins, out AllowedOrigins? allowed));
        AddressLimiter limiter = new(new AddressLimits(opens, 100, 100, connections), LimitMode.Enforce, false, _time, rows: 64);
        return new AdmissionControl(allowed, limiter, new ConnectionCap(cap), new ConnectionCap(int.MaxValue), memory, mostInMemory, null, _telemetry);
    }

    private static RefusalReason Try(AdmissionControl control, out Ticket ticket, params string[] lines) =>
        control.Admit(Heads.With(lines), _client, opens: true, out ticket).Reason;

    [Theory]
    [InlineData("", "https://evil.example", true)]
    [InlineData("", "null", true)]
    [InlineData("", null, true)]
    [InlineData("https://good.example", "https://good.example", true)]
    [InlineData("https://good.example, https://other.example:8443", "https://other.example:8443", true)]
    [InlineData("https://good.example", "https://evil.example", false)]
    [InlineData("https://good.example", "https://good.example.evil.example", false)]
    [InlineData("https://good.example", "https://good.example:8443", false)]
    [InlineData("https://good.example", "http://good.example", false)]
    [InlineData("https://good.example", "HTTPS://GOOD.EXAMPLE", false)]
    [InlineData("https://good.example", "null", false)]
    [InlineData("https://good.example", "", false)]
    [InlineData("https://good.example", null, true)]
    public void Origins_are_compared_exactly(string list, string? origin, bool allowed)
    {
        RefusalReason reason = Try(Control(list), out Ticket ticket, origin is null ? [] : [$"Origin: {origin}"]);
        Assert.Equal(allowed ? RefusalReason.None : RefusalReason.Origin, reason);
        Assert.Equal(allowed, ticket.IsValid);
    }

    [Fact]
    public void Two_origins_are_none() => Assert.Equal(
        RefusalReason.Origin,
        Try(Control("https://good.example"), out _, "Origin: https://good.example", "Origin: https://good.example"));

    [Theory]
    [InlineData("good.example")]
    [InlineData("https://good.example/")]
    [InlineData("https://good.example/path")]
    [InlineData("https://Good.example")]
    [InlineData("https://good.example:443")]
    [InlineData("https://user@good.example")]
    [InlineData("null")]
    [InlineData("*")]
    [InlineData("https://good.example,x")]
    public void An_entry_that_no_browser_would_send_is_an_error(string list) => Assert.False(AllowedOrigins.TryParse(list, out _));

    [Fact]
    public void A_ticket_is_given_back_once()
    {
        AdmissionControl control = Control(cap: 1, opens: 100);
        Assert.Equal(RefusalReason.None, Try(control, out Ticket first));
        Assert.Equal(RefusalReason.ConnectionCap, Try(control, out Ticket none));
        Assert.False(none.IsValid);
        control.Release(ref none);
        Assert.False(control.HasRoom);
        control.Release(ref first);
        control.Release(ref first);
        Assert.Equal(RefusalReason.None, Try(control, out _));
        Assert.Equal(RefusalReason.ConnectionCap, Try(control, out _));
    }

    [Fact]
    public void What_the_address_may_not_do_takes_no_place_of_the_server()
    {
        AdmissionControl control = Control(cap: 3, opens: 2);
        for (int i = 0; i < 100; i++)
            Try(control, out _);
        Assert.True(control.HasRoom);
    }

    [Fact]
    public void A_refused_origin_costs_its_address_nothing()
    {
        AdmissionControl control = Control("https://good.example");
        for (int i = 0; i < 100; i++)
            Assert.Equal(RefusalReason.Origin, Try(control, out _, "Origin: https://evil.example"));
        Assert.Equal(RefusalReason.None, Try(control, out _));
    }

    [Fact]
    public void Retry_after_is_between_1_and_30_seconds_and_differs()
    {
        AdmissionControl control = Control(opens: 1);
        Try(control, out _);
        HashSet<int> waits = [];
        for (int i = 0; i < 200; i++)
            waits.Add(control.Admit(Heads.With(), _client, opens: true, out _).RetryAfter);
        Assert.All(waits, wait => Assert.InRange(wait, 1, 30));
        Assert.Equal(30, Refusal.For(RefusalReason.Memory, TimeSpan.FromMinutes(10), 0.5).RetryAfter);
        Assert.Equal(1, Refusal.For(RefusalReason.Memory, TimeSpan.Zero, 0).RetryAfter);
        HashSet<int> caps = [];
        AdmissionControl full = Control(cap: 0);
        for (int i = 0; i < 200; i++)
            caps.Add(full.Admit(Heads.With(), _client, opens: true, out _).RetryAfter);
        Assert.True(caps.Count > 3, "Clients refused together come back together.");
    }

    [Fact]
    public void A_server_that_drains_admits_nobody()
    {
        AdmissionControl control = Control();
        control.Drain();
        Refusal refusal = control.Admit(Heads.With(), _client, opens: true, out Ticket ticket);
        Assert.Equal(503, refusal.Status);
        Assert.False(ticket.IsValid);
    }

    [Fact]
    public void Memory_above_the_mark_refuses_until_it_is_below_again()
    {
        long used = 50;
        int collections = 0;
        using MemoryPressure memory = new(_time, () => new MemoryUse(used, 100), () => collections++);
        AdmissionControl control = Control(memory: memory, opens: 100);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(RefusalReason.None, Try(control, out _));
        used = 81;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(RefusalReason.Memory, Try(control, out _));
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(1, collections);
        used = 80;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(RefusalReason.None, Try(control, out _));
    }

    [Fact]
    public void The_nearer_the_limit_the_closer_it_is_watched()
    {
        long used = 500;
        int looks = 0;
        using MemoryPressure memory = new(_time, Measure, static () => { });
        for (int i = 0; i < 100; i++)
            _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(10, looks);
        used = 1200;
        for (int i = 0; i < 100; i++)
            _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.InRange(looks - 10, 90, 100);
        used = 1601;
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.True(memory.IsHigh);

        MemoryUse Measure()
        {
            looks++;
            return new MemoryUse(used << 20, 2000L << 20);
        }
    }

    [Fact]
    public void Memory_that_a_collection_finds_refuses_nobody()
    {
        long used = 90;
        using MemoryPressure memory = new(_time, () => new MemoryUse(used, 100), () => used = 10);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(memory.IsHigh);
    }

    [Fact]
    public void No_more_come_in_than_memory_is_there_for_whatever_they_do()
    {
        AdmissionControl control = Control(opens: 100, mostInMemory: 2);
        Assert.Equal(RefusalReason.None, Try(control, out Ticket first));
        Assert.Equal((RefusalReason.None, false), (Try(control, out _), control.HasMemory));
        Assert.Equal((RefusalReason.Memory, true), (Try(control, out _), control.HasRoom));
        control.Release(ref first);
        Assert.Equal(RefusalReason.None, Try(control, out _));
    }

    [Theory]
    [InlineData(192, 48, 20, 3_891)]
    [InlineData(768, 192, 20, 18_636)]
    [InlineData(768, 1_000_000, 20, 18_636)]
    [InlineData(20, 5, 20, 16)]
    public void The_bound_by_memory_leaves_room_for_what_is_buffered(long heapMegabytes, long bufferedMegabytes, int eachKilobytes, int most) =>
        Assert.Equal(most, ConnectionCap.ForMemory(heapMegabytes << 20, bufferedMegabytes << 20, eachKilobytes << 10));

    [Theory]
    [InlineData(0, 1_048_576L, 838_860)]
    [InlineData(0, 1024L, 760)]
    [InlineData(0, 512L, 248)]
    [InlineData(0, 100L, 16)]
    [InlineData(0, long.MaxValue, int.MaxValue)]
    [InlineData(0, null, int.MaxValue)]
    [InlineData(7, 1024L, 7)]
    public void The_cap_comes_from_the_descriptors(int setting, long? descriptors, int cap) =>
        Assert.Equal(cap, ConnectionCap.ForChannels(setting, descriptors));
}
