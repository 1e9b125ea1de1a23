namespace ChannelServer.Relay;

/// <summary>
/// A token bucket over the control frames of one client: pings and pongs are the cheapest flood there is, and a client at rest
/// needs a few octets every heartbeat.
/// </summary>
internal struct ControlBudget
{
    // With its fraction: frames in quick succession would otherwise lose what came back in between.
    private double _spent;
    private TimeSpan _at;

    /// <summary>Spends octets; false when the burst is used up.</summary>
    public bool TrySpend(int octets, TimeSpan now, Limits limits)
    {
        double refilled = (now - _at).TotalSeconds * limits.ControlOctetsPerSecond;
        _at = now;
        _spent = Math.Max(0, _spent - refilled) + octets;
        return _spent <= limits.ControlBurst;
    }
}
