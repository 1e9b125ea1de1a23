namespace ChannelServer.Admission;

/// <summary>
/// When to end which channel of a shard that stops: one after the other, evenly over a window, so that their clients do not all come to
/// another server in the same moment. Channels that end by themselves meanwhile only slow the pace down.
/// </summary>
/// <param name="Began">When the window began.</param>
/// <param name="Window">How long it is. Zero ends all at once.</param>
/// <param name="Channels">How many channels there were then.</param>
internal readonly record struct DrainSchedule(TimeSpan Began, TimeSpan Window, int Channels)
{
    /// <summary>When the next channel is to be ended; <see cref="TimeSpan.MaxValue"/> when there is none.</summary>
    /// <param name="left">How many channels there are now.</param>
    public TimeSpan NextDue(int left)
    {
        if (left == 0)
            return TimeSpan.MaxValue;
        // The first at once, the last one step before the end: a server with one channel stops without waiting.
        long ended = Math.Max(0, Channels - left);
        return Began + TimeSpan.FromTicks(((Window.Ticks * ended) + Channels - 1) / Channels);
    }

    /// <summary>How many channels are due.</summary>
    /// <param name="left">How many channels there are now.</param>
    /// <param name="now">The time.</param>
    public int Due(int left, TimeSpan now)
    {
        if (left == 0 || now < Began)
            return 0;
        if (now >= Began + Window)
            return left;
        long ended = 1 + ((now - Began).Ticks * Channels / Window.Ticks);
        return (int)Math.Max(0, left - (Channels - ended));
    }
}
