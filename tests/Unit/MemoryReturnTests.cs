using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests;

/// <summary>Memory is given back where that is worth a collection, and no collection comes where it is not.</summary>
public sealed class MemoryReturnTests : IAsyncDisposable
{
    private const long Megabyte = 1024 * 1024;

    private readonly FakeTimeProvider _time = new();
    private readonly MemoryReturn _memory;
    private MemoryFootprint _now = new(50 * Megabyte, 10 * Megabyte, 0);
    private long _live = 50 * Megabyte;
    private int _collections;
    private int _releases;

    public MemoryReturnTests() => _memory = new MemoryReturn(
        _time,
        () => _now,
        () => _releases++,
        () =>
        {
            // What is kept for reuse has been let go of before.
            Assert.Equal(_collections + 1, _releases);
            _collections++;
            _now = _now with { Resident = _live };
        });

    public ValueTask DisposeAsync() => _memory.DisposeAsync();

    [Fact]
    public void A_server_at_rest_is_left_alone()
    {
        Look(1000);
        Assert.Equal(0, _collections);
    }

    [Fact]
    public void What_a_crowd_leaves_behind_is_given_back_within_half_a_minute_and_once()
    {
        Allocate(80);
        Look(1);
        // They came just now, and more of them may come.
        Assert.Equal(0, _collections);
        Look(2);
        Assert.Equal((1, 50 * Megabyte), (_collections, _now.Resident));
        Look(1000);
        Assert.Equal(1, _collections);
    }

    [Fact]
    public void What_those_who_were_going_let_go_of_a_little_later_is_given_back_too()
    {
        LeaveAllButTwentyMegabytes(clients: 500);
        _now = _now with { Clients = 0 };
        LookAgain();
        Assert.Equal((2, 50 * Megabyte), (_collections, _now.Resident));
        Look(1000);
        Assert.Equal(2, _collections);
    }

    [Fact]
    public void The_second_collection_waits_for_a_quiet_time()
    {
        LeaveAllButTwentyMegabytes(clients: 0);
        // Their ends are told, which takes memory too.
        _now = _now with { Allocated = _now.Allocated + (2 * Megabyte) };
        LookAgain();
        Assert.Equal(1, _collections);
        Look(1);
        Assert.Equal((2, 50 * Megabyte), (_collections, _now.Resident));
        Look(1000);
        Assert.Equal(2, _collections);
    }

    [Fact]
    public void A_crowd_is_left_alone_while_it_stays_and_given_back_as_it_goes()
    {
        Allocate(80);
        _live = _now.Resident;
        _now = _now with { Clients = 10_000 };
        Look(1000);
        Assert.Equal(0, _collections);
        // A fifth goes, and leaves 16 MB.
        _live -= 16 * Megabyte;
        _now = _now with { Clients = 8_000 };
        Look(1);
        Assert.Equal((1, 114 * Megabyte), (_collections, _now.Resident));
        Look(1000);
        Assert.Equal(1, _collections);
        // Others come for them.
        Allocate(16);
        _now = _now with { Clients = 10_000 };
        Look(1000);
        Assert.Equal(1, _collections);
        // All go.
        _live = 50 * Megabyte;
        _now = _now with { Clients = 0 };
        Look(1);
        Assert.Equal((2, 50 * Megabyte), (_collections, _now.Resident));
        Look(1000);
        Assert.Equal(2, _collections);
    }

    [Fact]
    public void What_would_be_taken_again_within_minutes_is_not_given_back()
    {
        // 16 MB of garbage is what the heap takes before it collects by itself.
        _now = _now with { Resident = 66 * Megabyte };
        for (int i = 0; i < 100; i++)
        {
            _now = _now with { Allocated = _now.Allocated + (2 * Megabyte) };
            Look(1);
        }
        Assert.Equal(0, _collections);
        // The same pace, and much more to be had.
        _now = _now with { Resident = 150 * Megabyte, Allocated = _now.Allocated + (2 * Megabyte) };
        Look(1);
        Assert.Equal(1, _collections);
    }

    [Fact]
    public void A_moment_in_which_the_system_does_not_tell_counts_for_nothing()
    {
        MemoryFootprint before = _now;
        _now = before with { Resident = 0 };
        Look(1);
        _now = before;
        Look(100);
        Assert.Equal(0, _collections);
    }

    [Fact]
    public void Little_is_not_worth_it()
    {
        Allocate(3);
        Look(100);
        Assert.Equal(0, _collections);
    }

    private void Allocate(int megabytes) => _now = _now with
    {
        Resident = _now.Resident + (megabytes * Megabyte),
        Allocated = _now.Allocated + (megabytes * Megabyte),
    };

    /// <summary>A crowd goes, and at the first collection part of what it had is not let go of yet.</summary>
    private void LeaveAllButTwentyMegabytes(int clients)
    {
        Allocate(80);
        _now = _now with { Clients = 10_000 };
        Look(1);
        _now = _now with { Clients = clients };
        _live = 70 * Megabyte;
        Look(1);
        Assert.Equal((1, 70 * Megabyte), (_collections, _now.Resident));
        _live = 50 * Megabyte;
    }

    /// <summary>Time passes until behind the second collection, if that comes as soon as it may.</summary>
    private void LookAgain()
    {
        _time.Advance(MemoryReturn.SecondLook);
        _time.Advance(MemoryReturn.Settling);
    }

    private void Look(int times)
    {
        for (int i = 0; i < times; i++)
        {
            _time.Advance(MemoryReturn.Interval);
            _time.Advance(MemoryReturn.Settling);
        }
    }
}
