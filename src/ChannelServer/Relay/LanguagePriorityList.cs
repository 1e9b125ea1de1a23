namespace ChannelServer.Relay;

/// <summary>
/// The languages that a client prefers, best first (RFC 4647, section 2.3): the value of its Accept-Language, parsed at the edge.
/// The core only carries it.
/// </summary>
/// <param name="Tags">Language tags and <c>*</c>, best first, those with a quality of zero not among them.</param>
/// <param name="Excluded">Tags whose quality is zero: never to be chosen.</param>
internal sealed record LanguagePriorityList(IReadOnlyList<string> Tags, IReadOnlyList<string> Excluded)
{
    /// <summary>No preference.</summary>
    public static LanguagePriorityList None { get; } = new([], []);
}
