using ChannelServer.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Time.Testing;

namespace ChannelServer.Tests.Transport;

/// <summary>Connections that have not said yet what they want, and what they may hold meanwhile.</summary>
public sealed class UndecidedConnectionsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly UndecidedConnections _undecided;

    public UndecidedConnectionsTests() => _undecided = new UndecidedConnections(_time, mostOctets: 100);

    [Fact]
    public void What_they_hold_together_is_bounded_and_free_again_when_they_go()
    {
        LinkedListNode<UndecidedConnection> first = Add(), second = Add();
        Assert.True(_undecided.TryHold(first, 40));
        Assert.True(_undecided.TryHold(first, 60));
        Assert.False(_undecided.TryHold(second, 41));
        _undecided.Remove(second);
        Assert.True(_undecided.TryHold(Add(), 40));
        _undecided.Remove(first);
        _undecided.Remove(first);
        Assert.True(_undecided.TryHold(Add(), 60));
        Assert.False(_undecided.TryHold(Add(), 1));
    }

    [Fact]
    public void Who_is_cut_holds_nothing_any_more()
    {
        LinkedListNode<UndecidedConnection> oldest = Add();
        Assert.True(_undecided.TryHold(oldest, 100));
        _time.Advance(TimeSpan.FromSeconds(1));
        _undecided.CutOldest(TimeSpan.FromSeconds(2));
        Assert.False(_undecided.TryHold(Add(), 1));
        _undecided.CutOldest(TimeSpan.FromSeconds(1));
        Assert.True(_undecided.TryHold(oldest, 100));
        _undecided.Remove(oldest);
        Assert.True(_undecided.TryHold(Add(), 99));
    }

    private LinkedListNode<UndecidedConnection> Add() => _undecided.Add(new DefaultConnectionContext());
}
