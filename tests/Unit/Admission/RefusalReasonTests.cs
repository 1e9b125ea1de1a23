using ChannelServer.Admission;
using ChannelServer.Transport;

namespace ChannelServer.Tests.Admission;

public sealed class RefusalReasonTests
{
    private static readonly RefusalReason[] _reasons = [.. Enum.GetValues<RefusalReason>().Where(static reason => reason != RefusalReason.None)];

    [Fact]
    public void Each_has_a_word_a_status_and_advice_of_its_own()
    {
        Assert.Distinct(_reasons.Select(static reason => reason.Tag()));
        Assert.Distinct(_reasons.Select(static reason => reason.Advice()));
        Assert.All(_reasons, static reason => Assert.InRange(reason.Status(), 400, 503));
    }

    [Fact]
    public void Advice_names_settings_that_there_are()
    {
        string[] named = [.. _reasons.SelectMany(static reason => reason.Advice().Split(' ', ',', ';')).Where(static word => word.Contains('_', StringComparison.Ordinal))];
        Assert.NotEmpty(named);
        Assert.Subset(SettingDefinition.All.Select(static setting => setting.Name).ToHashSet(), named.ToHashSet());
    }

    [Fact]
    public void Advice_tells_the_limits_as_they_are() =>
        Assert.StartsWith($"a head has {ChannelEngine.HeadTimeout.TotalSeconds} seconds", RefusalReason.HeadTimeout.Advice(), StringComparison.Ordinal);
}
