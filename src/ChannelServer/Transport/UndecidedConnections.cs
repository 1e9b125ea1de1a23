using Microsoft.AspNetCore.Connections;

namespace ChannelServer.Transport;

/// <summary>
/// Connections of which it is not known yet what they want, in the order in which they came. When there are too many connections, the oldest
/// of these is worth least. Safe for any thread.
/// </summary>
internal sealed class UndecidedConnections
{
    private readonly Lock _gate = new();
    private readonly LinkedList<ConnectionContext> _connections = new();

    /// <summary>Notes a connection that has just come.</summary>
    public LinkedListNode<ConnectionContext> Add(ConnectionContext connection)
    {
        lock (_gate)
            return _connections.AddLast(connection);
    }

    /// <summary>It is known now. Harmless when repeated.</summary>
    public void Remove(LinkedListNode<ConnectionContext> node)
    {
        lock (_gate)
        {
            if (node.List is not null)
                _connections.Remove(node);
        }
    }

    /// <summary>Cuts the oldest.</summary>
    public void CutOldest()
    {
        ConnectionContext? oldest;
        lock (_gate)
        {
            oldest = _connections.First?.Value;
            if (oldest is not null)
                _connections.RemoveFirst();
        }
        oldest?.Abort();
    }
}
