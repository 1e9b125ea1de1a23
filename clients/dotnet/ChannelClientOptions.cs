using System.Net.WebSockets;

namespace ChannelServer.Client;

/// <summary>Limits and times of a <see cref="ChannelClient"/>.</summary>
public sealed record ChannelClientOptions
{
    /// <summary>How long a lost connection is tried to be taken back. Below the server's <c>resume_window</c>.</summary>
    public TimeSpan ResumeWindow { get; init; } = TimeSpan.FromSeconds(50);

    /// <summary>How long to try until the first greeting.</summary>
    public TimeSpan OpenTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long one attempt to connect may take, the greeting included.</summary>
    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long <see cref="ChannelClient.CloseAsync"/> may take to hand over what was sent before it.</summary>
    public TimeSpan CloseTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Attempt n waits a random time of at most this times 2^n, and at most <see cref="BackoffCap"/>.</summary>
    public TimeSpan BackoffBase { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest wait between two attempts, unless the server asks for more in <c>Retry-After</c>.</summary>
    public TimeSpan BackoffCap { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often the server is pinged, so that a dead connection is noticed.</summary>
    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the answer to a ping may take before the connection counts as lost.</summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Messages that may wait for the server to accept them.</summary>
    public int QueueMessages { get; init; } = 256;

    /// <summary>Octets of messages that may wait for the server to accept them.</summary>
    public int QueueOctets { get; init; } = 1 << 20;

    /// <summary>Received messages that may wait for their reader. Then the connection is not read until there is room, and the server may end it.</summary>
    public int ReceivedMessages { get; init; } = 1024;

    /// <summary>The clock of all waits between and during attempts.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>The source of the jitter.</summary>
    public Random Random { get; init; } = Random.Shared;

    /// <summary>Sets up the WebSocket of each attempt: request headers, proxy, certificates.</summary>
    public Action<ClientWebSocketOptions>? Configure { get; init; }
}
