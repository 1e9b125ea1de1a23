using Microsoft.AspNetCore.Connections;

namespace ChannelServer.Transport;

/// <summary>
/// Connections of which it is not known yet what they want, in the order in which they came. When there are too many connections, the oldest
/// of these is worth least. Safe for any thread.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="mostOctets">Octets that they may hold together of what they have begun to say.</param>
internal sealed class UndecidedConnections(TimeProvider time, long mostOctets)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<UndecidedConnection> _connections = new();
    private long _octets;

    /// <summary>Notes a connection that has just come.</summary>
    public LinkedListNode<UndecidedConnection> Add(ConnectionContext connection)
    {
        lock (_gate)
            return _connections.AddLast(new UndecidedConnection(connection, time.GetTimestamp()));
    }

    /// <summary>Whether a connection may hold so many octets. Whoever may not has to go.</summary>
    public bool TryHold(LinkedListNode<UndecidedConnection> node, long octets)
    {
        lock (_gate)
        {
            // Who has been cut learns of it as it reads on.
            if (node.List is null)
                return true;
            _octets += octets - node.ValueRef.Held;
            node.ValueRef.Held = octets;
            return _octets <= mostOctets;
        }
    }

    /// <summary>It is known now. Harmless when repeated.</summary>
    public void Remove(LinkedListNode<UndecidedConnection> node)
    {
        lock (_gate)
        {
            if (node.List is not null)
                Take(node);
        }
    }

    /// <summary>Cuts the oldest.</summary>
    /// <param name="age">How old it must be for that.</param>
    public void CutOldest(TimeSpan age)
    {
        ConnectionContext? oldest = null;
        lock (_gate)
        {
            if (_connections.First is { } first && time.GetElapsedTime(first.Value.Since) >= age)
            {
                oldest = first.Value.Connection;
                Take(first);
            }
        }
        oldest?.Abort();
    }

    private void Take(LinkedListNode<UndecidedConnection> node)
    {
        _octets -= node.Value.Held;
        _connections.Remove(node);
    }
}

/// <summary>A connection, when it came, and what it holds.</summary>
/// <param name="Connection">The connection.</param>
/// <param name="Since">A timestamp.</param>
/// <param name="Held">Octets.</param>
internal record struct UndecidedConnection(ConnectionContext Connection, long Since, long Held = 0);
