namespace ChannelServer.Simulation;

/// <summary>
/// The only source of chance in a world: SplitMix64 (Steele, Lea, Flood, 2014), integers only, so that a seed means the same on
/// every machine and in every version of the platform.
/// </summary>
internal sealed class Prng(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        ulong z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A generator of its own for a part of the world: what happens elsewhere does not change its numbers.</summary>
    public Prng Fork() => new(Next());

    /// <summary>0 up to the bound, without it.</summary>
    public int Below(int bound) => (int)Math.BigMul(Next(), (ulong)bound, out _);

    /// <summary>Both ends included.</summary>
    public int Between(int least, int most) => least + Below(most - least + 1);

    public bool Chance(int perMille) => Below(1000) < perMille;

    public T Pick<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    /// <summary>As often between 1 and 2 as between 100 and 200 milliseconds: short and long times are equally interesting.</summary>
    public TimeSpan Span(TimeSpan least, TimeSpan most)
    {
        long low = Math.Max(1, least.Ticks);
        int doublings = 64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)(most.Ticks / low));
        long scale = low << Below(Math.Max(1, doublings));
        return new TimeSpan(Math.Min(most.Ticks, scale + (long)(Next() % (ulong)scale)));
    }

    public void Fill(Span<byte> octets)
    {
        for (int i = 0; i < octets.Length; i++)
            octets[i] = (byte)(Next() >> 32);
    }
}
