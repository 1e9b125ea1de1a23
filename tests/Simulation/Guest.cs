using ChannelServer.Relay;

namespace ChannelServer.Simulation;

/// <summary>What a client says in its query to have its seat back: texts, good or not.</summary>
internal sealed record Claim(string Token, string? Received)
{
    public string Query => Received is null ? $"resume={Token}" : $"v=1&received={Received}&resume={Token}";
}

/// <summary>A client as the server meets it: who it is, what it speaks, what it claims.</summary>
internal sealed record Guest(Person Person, ProtocolVersion Version, Claim? Claim)
{
    public static Guest Of(Person person) => new(person, ProtocolVersion.One, null);
}
