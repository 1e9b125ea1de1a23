namespace ChannelServer.Reliability.Harness;

/// <summary>What is special about a trial.</summary>
internal sealed record TrialOptions
{
    public string[] Settings { get; init; } = [];

    /// <summary>A command in front of the server's, such as <c>prlimit --nofile=512</c>.</summary>
    public string[] Prefix { get; init; } = [];

    public (string Name, string Value)[] Environment { get; init; } = [];

    /// <summary>Where the server runs; null for here.</summary>
    public NetworkPair? Network { get; init; }

    /// <summary>Events of level error that the trial provokes on purpose.</summary>
    public string[] ExpectedErrors { get; init; } = [];

    /// <summary>Whether a canary sings; not where the limits under test would end its channel.</summary>
    public bool HasCanary { get; init; } = true;

    /// <summary>After how many messages the canary goes to a channel of its own anew; where the limits under test would end its channel. 0 for never.</summary>
    public int CanaryMessages { get; init; }

    /// <summary>Whether nothing floods the server, so that the canary must be relayed within 250 ms instead of a second.</summary>
    public bool IsCalm { get; init; }

    /// <summary>Whether the server is the one of tests/Probe, which has a bug.</summary>
    public bool HasBug { get; init; }

    /// <summary>What is done once before measures are taken: the first time may take for good what no other takes, such as symbols for the traces of faults.</summary>
    public Func<Trial, Task>? First { get; init; }

    /// <summary>Whether the idle server is expected to rest.</summary>
    public bool ExpectsRest { get; init; } = true;

    /// <summary>
    /// Descriptors that may come on top of those before. A runtime whose accept fails reads the symbols of its own files for the exception, once, and keeps
    /// them open.
    /// </summary>
    public int SlackDescriptors { get; init; } = 5;

    /// <summary>Whether the sums of statsd arrive, for the checks that need them.</summary>
    public bool HasStatsd { get; init; } = true;

    /// <summary>Megabytes that may live on the heap after a collection, beyond those that lived before.</summary>
    public const int HeapSlackMegabytes = 5;
}
