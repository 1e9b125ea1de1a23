using ChannelServer.Admission;

namespace ChannelServer.Transport;

/// <summary>Which of its outcomes a request has had.</summary>
internal enum RequestOutcomeKind
{
    /// <summary>None yet: its head is not complete.</summary>
    Incomplete,

    /// <summary>Nobody is there who would read an answer.</summary>
    Gone,

    /// <summary>It is for the HTTP server behind the drivers.</summary>
    Elsewhere,

    /// <summary>It gets an HTTP status, and its connection ends: <see cref="RequestOutcome.Refusal"/>.</summary>
    Refused,

    /// <summary>It becomes a session: <see cref="RequestOutcome.Session"/>.</summary>
    Admitted,
}

/// <summary>What has become of a request on pipes.</summary>
internal readonly record struct RequestOutcome
{
    public static RequestOutcome Incomplete => default;

    public static RequestOutcome Gone => new() { Kind = RequestOutcomeKind.Gone };

    public static RequestOutcome Elsewhere => new() { Kind = RequestOutcomeKind.Elsewhere };

    public RequestOutcomeKind Kind { get; private init; }

    /// <summary>Why it is refused.</summary>
    public Refusal Refusal { get; private init; }

    /// <summary>The session that it becomes, and null otherwise.</summary>
    public PipeSession? Session { get; private init; }

    public static RequestOutcome Refused(Refusal refusal) => new() { Kind = RequestOutcomeKind.Refused, Refusal = refusal };

    public static RequestOutcome Admitted(PipeSession session) => new() { Kind = RequestOutcomeKind.Admitted, Session = session };
}
