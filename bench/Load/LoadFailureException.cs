namespace ChannelServer.Bench;

/// <summary>The server did what it must not: no figure of this run counts.</summary>
internal sealed class LoadFailureException(string message) : Exception(message);
