using ChannelServer.Admission;

namespace ChannelServer.Tests.Admission;

public sealed class DrainScheduleTests
{
    private static readonly TimeSpan _began = TimeSpan.FromSeconds(100);

    [Theory]
    [InlineData(1, 10)]
    [InlineData(3, 10)]
    [InlineData(7, 1)]
    [InlineData(5000, 5)]
    [InlineData(100_000, 0.001)]
    public void Ends_are_spread_evenly_and_whoever_follows_it_never_waits_in_vain(int channels, double seconds)
    {
        DrainSchedule schedule = new(_began, TimeSpan.FromSeconds(seconds), channels);
        TimeSpan now = _began;
        for (int left = channels; left > 0;)
        {
            TimeSpan due = schedule.NextDue(left);
            now = due > now ? due : now;
            double share = (now - _began) / TimeSpan.FromSeconds(seconds);
            Assert.Equal(share, (double)(channels - left) / channels, 1e-3);
            int ends = schedule.Due(left, now);
            Assert.True(ends > 0, $"Woken at {now} for nothing.");
            left -= ends;
        }
        Assert.True(now <= _began + TimeSpan.FromSeconds(seconds));
        Assert.Equal(TimeSpan.MaxValue, schedule.NextDue(0));
    }

    [Fact]
    public void The_first_ends_at_once() => Assert.Equal(1, new DrainSchedule(_began, TimeSpan.FromSeconds(10), 4).Due(4, _began));

    [Fact]
    public void No_window_ends_all_at_once() => Assert.Equal(4, new DrainSchedule(_began, TimeSpan.Zero, 4).Due(4, _began));

    [Fact]
    public void A_late_look_ends_all_that_was_due() =>
        Assert.Equal(2, new DrainSchedule(_began, TimeSpan.FromSeconds(10), 4).Due(4, _began + TimeSpan.FromSeconds(4.9)));

    [Fact]
    public void Who_has_gone_by_itself_needs_no_end()
    {
        DrainSchedule schedule = new(_began, TimeSpan.FromSeconds(10), 4);
        Assert.Equal(0, schedule.Due(1, _began + TimeSpan.FromSeconds(5)));
        Assert.Equal(_began + TimeSpan.FromSeconds(7.5), schedule.NextDue(1));
    }
}
