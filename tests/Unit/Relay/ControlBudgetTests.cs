using ChannelServer.Relay;

namespace ChannelServer.Tests.Relay;

public sealed class ControlBudgetTests
{
    private static readonly Limits _limits = new() { ControlOctetsPerSecond = 1000, ControlBurst = 5000 };

    [Fact]
    public void The_burst_is_exact()
    {
        ControlBudget budget = default;
        Assert.True(budget.TrySpend(4999, TimeSpan.Zero, _limits));
        Assert.True(budget.TrySpend(1, TimeSpan.Zero, _limits));
        Assert.False(budget.TrySpend(1, TimeSpan.Zero, _limits));
    }

    [Fact]
    public void What_was_spent_comes_back_at_the_rate_and_no_more_than_the_burst()
    {
        ControlBudget budget = default;
        Assert.True(budget.TrySpend(5000, TimeSpan.Zero, _limits));
        Assert.True(budget.TrySpend(100, TimeSpan.FromMilliseconds(100), _limits));
        Assert.False(budget.TrySpend(1, TimeSpan.FromMilliseconds(100), _limits));
        budget = default;
        Assert.True(budget.TrySpend(5000, TimeSpan.FromDays(4000), _limits));
        Assert.False(budget.TrySpend(1, TimeSpan.FromDays(4000), _limits));
    }

    [Fact]
    public void Small_frames_at_the_allowed_rate_pass_for_ever_however_they_are_spaced()
    {
        // Two frames of 6 octets every 12 ms, one of them half a millisecond late: 1,000 octets in a second, in uneven steps.
        ControlBudget budget = default;
        for (int i = 0; i < 100_000; i++)
        {
            Assert.True(budget.TrySpend(6, TimeSpan.FromMilliseconds(12 * i), _limits), $"round {i}");
            Assert.True(budget.TrySpend(6, TimeSpan.FromMilliseconds((12 * i) + 0.5), _limits), $"round {i}");
        }
    }

    [Fact]
    public void More_than_the_rate_is_refused_in_the_end()
    {
        ControlBudget budget = default;
        int passed = 0;
        while (budget.TrySpend(11, TimeSpan.FromMilliseconds(10 * passed), _limits))
            passed++;
        // One octet too many every 10 ms.
        Assert.InRange(passed, 4980, 5000);
    }
}
