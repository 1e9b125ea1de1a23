using System.Threading.Channels;

namespace ChannelServer.Client;

/// <summary>
/// A seat in a channel that outlives its connections. Each message that a side sends while both have a seat arrives once, and in
/// order, as long as no outage is longer than the resume window. Members may be used from any thread.
/// </summary>
/// <remarks>
/// With a server that speaks only version 1 of the protocol a lost connection is the end, nothing is acknowledged, and there is no
/// presence: see <see cref="Version"/>.
/// </remarks>
public sealed partial class ChannelClient : IAsyncDisposable
{
    private readonly ChannelClientOptions _options;
    private readonly Uri _address;
    private readonly Outbox _outbox;
    private readonly Backoff _backoff;
    private readonly Channel<ChannelMessage> _messages;
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource<ChannelEnd> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _running = Task.CompletedTask;

    // Written by the task that runs the channel, read by any.
    private volatile IReadOnlyList<Peer> _peers = [];
    private volatile ChannelLimits? _limits;
    private volatile bool _connected;
    private volatile bool _closing;

    // Of the task that runs the channel.
    private string? _token;
    private long _received;
    private bool _left;

    private ChannelClient(Uri server, string channelId, ChannelClientOptions options)
    {
        _options = options;
        _address = AddressOf(server, channelId);
        _outbox = new Outbox(options);
        _backoff = new Backoff(options);
        _messages = Channel.CreateBounded<ChannelMessage>(new BoundedChannelOptions(options.ReceivedMessages) { SingleWriter = true });
    }

    /// <summary>A participant has come, is away, is back or has left. Comes from the task that runs the channel: do not block.</summary>
    public event EventHandler<PeerChange>? PeerChanged;

    /// <summary>The channel ends after this time. Comes once, 30 seconds before the end.</summary>
    public event EventHandler<TimeSpan>? Expiring;

    /// <summary>The connection is lost; the seat is not, yet.</summary>
    public event EventHandler? ConnectionLost;

    /// <summary>The seat is taken back.</summary>
    public event EventHandler? Resumed;

    /// <summary>The version of the protocol that is spoken: 2, or 1 with a server that knows no other.</summary>
    public int Version { get; private set; }

    /// <summary>The id of the channel. Whoever knows it can join.</summary>
    public string ChannelId { get; private set; } = "";

    /// <summary>The path under which others join.</summary>
    public string Link { get; private set; } = "";

    /// <summary>What the server told in its latest greeting; null in version 1.</summary>
    public ChannelLimits? Limits => _limits;

    /// <summary>The others in the channel. Empty in version 1.</summary>
    public IReadOnlyList<Peer> Peers => _peers;

    /// <summary>Whether there is a connection right now.</summary>
    public bool IsConnected => _connected;

    /// <summary>Completes when the channel has ended for this client, whatever the reason.</summary>
    public Task<ChannelEnd> Completion => _completion.Task;

    /// <summary>
    /// The messages of the others, each once, to be read by one reader. Ends after <see cref="CloseAsync"/>, and throws a
    /// <see cref="ChannelException"/> behind the last message when the channel ended otherwise.
    /// </summary>
    public IAsyncEnumerable<ChannelMessage> Messages => _messages.Reader.ReadAllAsync();

    /// <summary>Opens a new channel.</summary>
    /// <param name="server">The server, such as <c>wss://channel.example</c>; a path in front of <c>/v1/ws/</c> may follow.</param>
    /// <param name="options">Limits and times; null for the defaults.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ChannelException">The server refuses, or there is none.</exception>
    public static Task<ChannelClient> OpenAsync(Uri server, ChannelClientOptions? options = null, CancellationToken cancellationToken = default) =>
        EnterAsync(server, "", options, cancellationToken);

    /// <summary>Joins a channel.</summary>
    /// <param name="server">The server, such as <c>wss://channel.example</c>; a path in front of <c>/v1/ws/</c> may follow.</param>
    /// <param name="channelId">The id, as the one who opened the channel has it.</param>
    /// <param name="options">Limits and times; null for the defaults.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ChannelException">The server refuses, or there is none.</exception>
    public static Task<ChannelClient> JoinAsync(
        Uri server, string channelId, ChannelClientOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(channelId);
        return EnterAsync(server, Uri.EscapeDataString(channelId), options, cancellationToken);
    }

    /// <summary>Sends a message, and completes when the server has accepted it; in version 1, when it is written.</summary>
    /// <param name="text">The message. The server drops white space at both ends.</param>
    /// <param name="cancellationToken">Stops the wait, not the message: that may be accepted all the same.</param>
    /// <exception cref="QueueFullException">Too much waits for the server.</exception>
    /// <exception cref="ChannelException">The channel has ended, or ends before it has accepted the message; or the message is too big.</exception>
    public Task SendAsync(string text, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(text);
        RequireOpen();
        return _outbox.Add(text, observed: true).WaitAsync(cancellationToken);
    }

    /// <summary>Queues a message without waiting. It is sent, and sent again if need be, like any other.</summary>
    /// <param name="text">The message. The server drops white space at both ends.</param>
    /// <exception cref="QueueFullException">Too much waits for the server.</exception>
    /// <exception cref="ChannelException">The channel has ended, or the message is too big.</exception>
    public void Post(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        RequireOpen();
        _ = _outbox.Add(text, observed: false);
    }

    /// <summary>
    /// Leaves the channel once the server has accepted what was sent, if need be after a resume; at the latest after
    /// <see cref="ChannelClientOptions.CloseTimeout"/>.
    /// </summary>
    /// <param name="cancellationToken">Leaves at once.</param>
    public async Task CloseAsync(CancellationToken cancellationToken = default)
    {
        _closing = true;
        _outbox.Wake();
        try
        {
            await _running.WaitAsync(_options.CloseTimeout, _options.TimeProvider, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception late) when (late is TimeoutException or OperationCanceledException)
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await _running.ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        _stop.Dispose();
    }

    private static async Task<ChannelClient> EnterAsync(Uri server, string channelId, ChannelClientOptions? options, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(server);
        ChannelClient client = new(server, channelId, options ?? new ChannelClientOptions());
        Connection first;
        try
        {
            first = await client.ConnectAsync(client._options.OpenTimeout, "no connection", cancellation).ConfigureAwait(false);
        }
        catch (ProtocolException wrong)
        {
            throw new ChannelException(1002, wrong.Message, false, inner: wrong);
        }
        client._running = client.RunAsync(first);
        return client;
    }

    private static Uri AddressOf(Uri server, string channelId)
    {
        UriBuilder address = new(server) { Path = $"{server.AbsolutePath.TrimEnd('/')}/v1/ws/{channelId}" };
        address.Scheme = server.Scheme switch { "http" => "ws", "https" => "wss", _ => server.Scheme };
        return address.Uri;
    }

    private void RequireOpen()
    {
        if (_closing)
            throw new InvalidOperationException("The channel is closing.");
    }
}
