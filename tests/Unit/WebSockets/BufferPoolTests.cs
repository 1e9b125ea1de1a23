using ChannelServer.WebSockets;
using CsCheck;

namespace ChannelServer.Tests.WebSockets;

public sealed class BufferPoolTests
{
    [Theory]
    [InlineData(0, 512)]
    [InlineData(1, 512)]
    [InlineData(512, 512)]
    [InlineData(513, 1024)]
    [InlineData(1024, 1024)]
    [InlineData(65537, 131072)]
    [InlineData(16 * 1024 * 1024, 16 * 1024 * 1024)]
    // The largest max_message, every octet escaped at its longest, and an envelope around it.
    [InlineData((6 * 16 * 1024 * 1024) + 1000, 128 * 1024 * 1024)]
    public void An_array_is_the_next_power_of_two(int octets, int length)
    {
        BufferPool pool = new();
        byte[] array = pool.Rent(octets);
        Assert.Equal(length, array.Length);
        Assert.Equal(1, pool.Lent);
        pool.Return(array);
        Assert.Equal(0, pool.Lent);
    }

    [Fact]
    public void What_came_back_is_lent_again_and_only_once()
    {
        BufferPool pool = new();
        byte[] first = pool.Rent(100);
        pool.Return(first);
        Assert.Same(first, pool.Rent(200));
        Assert.NotSame(first, pool.Rent(200));
    }

    [Fact]
    public void No_more_than_half_a_mebibyte_of_a_size_is_kept()
    {
        BufferPool pool = new();
        byte[][] lent = [.. Enumerable.Range(0, 10).Select(_ => pool.Rent(128 * 1024))];
        foreach (byte[] array in lent)
            pool.Return(array);
        byte[][] again = [.. Enumerable.Range(0, 10).Select(_ => pool.Rent(128 * 1024))];
        Assert.Equal(4, again.Intersect(lent).Count());
        byte[] large = pool.Rent(1024 * 1024);
        pool.Return(large);
        Assert.NotSame(large, pool.Rent(1024 * 1024));
    }

    [Fact]
    public void What_is_released_is_not_lent_again_and_what_is_lent_stays()
    {
        BufferPool pool = new();
        byte[] kept = pool.Rent(100), lent = pool.Rent(100);
        pool.Return(kept);
        pool.Release();
        Assert.NotSame(kept, pool.Rent(100));
        Assert.Equal((2, 1024), (pool.Lent, pool.OctetsLent));
        pool.Return(lent);
        Assert.Same(lent, pool.Rent(100));
    }

    [Fact]
    public void Growing_keeps_what_is_used() =>
        Gen.Select(Gen.Int[0, 500], Gen.Int[0, 500], Gen.Int[1, 5000]).Sample((one, other, octets) =>
        {
            BufferPool pool = new();
            byte[] array = pool.Rent(512);
            Random.Shared.NextBytes(array);
            byte[] used = array[Math.Min(one, other)..Math.Max(one, other)];
            byte[] larger = pool.Grow(array, Math.Min(one, other)..Math.Max(one, other), Math.Max(octets, used.Length));
            Assert.True(larger.Length >= 1024 && larger.Length >= octets);
            Assert.Equal(used, larger[..used.Length]);
            Assert.Equal(1, pool.Lent);
        }, iter: 200);
}
