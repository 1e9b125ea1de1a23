using ChannelServer.Admission;

namespace ChannelServer.Tests.Admission;

/// <summary>The memory of a control group, read from files as the kernel writes them.</summary>
public sealed class MemoryGaugeTests
{
    [Theory]
    [InlineData("0::/pod/server", false, "pod", "pod")]
    [InlineData("0::/pod/server", false, "pod/server", "pod/server")]
    [InlineData("0::/of/the/host", false, "", "")]
    [InlineData("7:cpu:/x\n4:memory:/pod/server\n0::/", true, "memory/pod", "memory/pod")]
    public void The_nearest_group_with_a_limit_counts_and_reading_it_leaves_next_to_nothing_to_collect(string membership, bool isVersion1, string limited, string expected)
    {
        string root = Directory.CreateTempSubdirectory().FullName;
        try
        {
            File.WriteAllText(Path.Combine(root, "membership"), membership);
            string folder = Directory.CreateDirectory(Path.Combine(root, limited)).FullName;
            string child = Directory.CreateDirectory(Path.Combine(root, expected, "child")).FullName;
            File.WriteAllText(Path.Combine(child, isVersion1 ? "memory.limit_in_bytes" : "memory.max"), isVersion1 ? "9223372036854771712\n" : "max\n");
            File.WriteAllText(Path.Combine(folder, isVersion1 ? "memory.limit_in_bytes" : "memory.max"), "1048576\n");
            File.WriteAllText(Path.Combine(folder, isVersion1 ? "memory.usage_in_bytes" : "memory.current"), "1000000\n");
            File.WriteAllText(Path.Combine(folder, "memory.stat"), isVersion1 ? "cache 5\ntotal_inactive_file 1000\n" : "anon 5\ninactive_file 1000\n");
            MemoryGauge gauge = MemoryGauge.Find(Path.Combine(root, "membership"), root);
            Assert.Equal(new MemoryUse(999_000, 1_048_576), gauge.Read());
            long before = GC.GetAllocatedBytesForCurrentThread();
            gauge.Read();
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2048);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void What_cannot_be_read_does_not_limit()
    {
        MemoryGauge gauge = MemoryGauge.Find("/nonexistent/membership", "/nonexistent");
        GCMemoryInfo heap = GC.GetGCMemoryInfo();
        Assert.Equal(heap.TotalAvailableMemoryBytes, gauge.Read().Limit);
    }
}
