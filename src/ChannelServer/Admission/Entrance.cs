using ChannelServer.Http;
using ChannelServer.Relay;
using ChannelServer.Reputation;
using ChannelServer.Telemetry;
using ChannelServer.Transport.Linux;

namespace ChannelServer.Admission;

/// <summary>All that stands between a request and a session, put together from the settings.</summary>
/// <param name="Admission">Decides.</param>
/// <param name="Observer">Hears how sessions end.</param>
/// <param name="Memory">Watches the memory.</param>
/// <param name="Reputation">Asks the reputation service; null when there is none.</param>
/// <param name="Violations">Reports to it; null when there is none.</param>
internal sealed record Entrance(
    AdmissionControl Admission, IRelayObserver Observer, MemoryPressure Memory, ReputationClient? Reputation, ViolationReporter? Violations)
    : IAsyncDisposable
{
    /// <summary>
    /// What <c>/__heartbeat__</c> tells of it. Neither makes the server sick: who is full serves those it has, and another server does not
    /// get less to do when this one is restarted.
    /// </summary>
    public IReadOnlyList<HealthCheck> Checks =>
    [
        new("connections", () => Admission.HasRoom, IsVital: false),
        new("memory", () => Admission.HasMemory, IsVital: false),
    ];

    /// <summary>Builds it.</summary>
    /// <param name="settings">What the operator wants.</param>
    /// <param name="proxies">Whose word about a client is believed.</param>
    /// <param name="telemetry">Hears everything.</param>
    /// <param name="loggers">Where log lines go.</param>
    /// <param name="time">The clock.</param>
    /// <param name="mostInMemory">For how many connections that carry channels there is memory whatever they do.</param>
    public static Entrance Build(
        Settings settings, TrustedProxies proxies, RelayTelemetry telemetry, ILoggerFactory loggers, TimeProvider time, int mostInMemory)
    {
        AddressLimits limits = new(settings.LimitOpens, settings.LimitJoins, settings.LimitFailedJoins, settings.LimitConnections);
        // Who drops the private networks from the trusted ones says that no proxy sits there: whoever does is a client.
        AddressLimiter limiter = new(limits, settings.LimitMode, privateAreClients: !proxies.KeepsDefaults, time);
        ReputationClient? client = null;
        ReputationList? reputation = null;
        ViolationReporter? violations = null;
        if (settings.IpReputationServer.Length > 0)
        {
            client = new ReputationClient(
                new Uri(settings.IpReputationServer), settings.IprepKey, settings.IprepTimeout, settings.IpViolation,
                loggers.CreateLogger(typeof(ReputationClient).FullName!), time);
            // Where everybody is welcome there is nothing to ask.
            reputation = settings.IprepMin > 0 ? new ReputationList(client, settings.IprepMin, time) : null;
            violations = new ViolationReporter(client, time);
        }
        MemoryPressure memory = MemoryPressure.OfProcess(time);
        if (!AllowedOrigins.TryParse(settings.AllowedOrigins, out AllowedOrigins? origins))
            throw new ArgumentException("AllowedOrigins is not a list of origins", nameof(settings));
        long? descriptors = Descriptors();
        ConnectionCap channels = new(ConnectionCap.ForChannels(settings.MaxConnections, descriptors));
        ConnectionCap sockets = new(ConnectionCap.ForSockets(descriptors));
        AdmissionControl admission = new(origins, limiter, channels, sockets, memory, mostInMemory, reputation, telemetry);
        return new Entrance(admission, new AbuseWatch(telemetry, limiter, violations), memory, client, violations);
    }

    public async ValueTask DisposeAsync()
    {
        Memory.Dispose();
        if (Violations is not null)
            await Violations.DisposeAsync();
        Reputation?.Dispose();
    }

    /// <summary>How many descriptors the process may have, once it has asked for all that it can get.</summary>
    private static long? Descriptors()
    {
        if (!OperatingSystem.IsLinux())
            return null;
        _ = LibC.RaiseDescriptorLimit();
        return LibC.GetDescriptorLimit(out long soft, out _) >= 0 ? soft : null;
    }
}
