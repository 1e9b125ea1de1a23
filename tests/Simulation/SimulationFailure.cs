namespace ChannelServer.Simulation;

/// <summary>The core and the model disagree, or something that must always hold does not.</summary>
internal sealed class SimulationFailure(string what, int? connection = null) : Exception(what)
{
    /// <summary>The connection where it showed.</summary>
    public int? Connection { get; } = connection;

    /// <summary>Fails unless it holds.</summary>
    public static void Unless(bool holds, string what, int? connection = null)
    {
        if (!holds)
            throw new SimulationFailure(what, connection);
    }
}
