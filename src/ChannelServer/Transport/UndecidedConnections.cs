using Microsoft.AspNetCore.Connections;

namespace ChannelServer.Transport;

/// <summary>
/// Connections of which it is not known yet what they want, in the order in which they came. When there are too many connections, the oldest
/// of these is worth least. Safe for any thread.
/// </summary>
/// <param name="time">The clock.</param>
internal sealed class UndecidedConnections(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<UndecidedConnection> _connections = new();

    /// <summary>Notes a connection that has just come.</summary>
    public LinkedListNode<UndecidedConnection> Add(ConnectionContext connection)
    {
        lock (_gate)
            return _connections.AddLast(new UndecidedConnection(connection, time.GetTimestamp()));
    }

    /// <summary>It is known now. Harmless when repeated.</summary>
    public void Remove(LinkedListNode<UndecidedConnection> node)
    {
        lock (_gate)
        {
            if (node.List is not null)
                _connections.Remove(node);
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
                _connections.RemoveFirst();
            }
        }
        oldest?.Abort();
    }
}

/// <summary>A connection, and when it came.</summary>
/// <param name="Connection">The connection.</param>
/// <param name="Since">A timestamp.</param>
internal readonly record struct UndecidedConnection(ConnectionContext Connection, long Since);
