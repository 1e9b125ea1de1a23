namespace ChannelServer.Relay;

/// <summary>
/// What the receivers of a message are told about its sender: the JSON object behind <c>"sender":</c>, encoded once per session
/// and shared by all its envelopes. Made at the edge; the core does not look inside.
/// </summary>
/// <param name="utf8Json">The whole object, braces included, compact, keys in alphabetical order.</param>
internal class SenderMetadata(byte[] utf8Json)
{
    /// <summary>A sender of whom nothing is known: <c>{}</c>.</summary>
    public static SenderMetadata Empty { get; } = new("{}"u8.ToArray());

    /// <summary>The object as the sender's own language preference words it.</summary>
    public byte[] Utf8Json { get; } = utf8Json;

    /// <summary>
    /// The object as a receiver should read it. The same array for the same languages, so that one envelope serves all receivers
    /// who read alike.
    /// </summary>
    public virtual byte[] ReadBy(LanguagePriorityList receiver) => Utf8Json;
}
