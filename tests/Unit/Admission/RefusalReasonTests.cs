using ChannelServer.Admission;
using ChannelServer.Transport;

namespace ChannelServer.Tests.Admission;

public sealed class RefusalReasonTests
{
    private static readonly RefusalReason[] _reasons = [.. Enum.GetValues<RefusalReason>().Where(static reason => reason != RefusalReason.None)];

    [Fact]
    public void Each_has_a_word_and_advice_of_its_own()
    {
        Assert.Distinct(_reasons.Select(static reason => reason.Tag()));
        Assert.Distinct(_reasons.Select(static reason => reason.Advice()));
    }

    /// <summary>The table of docs/protocol.md: what a request is answered with.</summary>
    [Fact]
    public void Each_has_the_status_of_the_protocol() => Assert.Equal(
        [
            "400: malformed_head handshake", "403: origin reputation", "405: method", "408: head_timeout", "426: no_upgrade",
            "429: opens joins failed_joins connections", "431: head_too_large", "503: connection_cap memory draining",
        ],
        _reasons.GroupBy(static reason => reason.Status()).OrderBy(static group => group.Key)
            .Select(static group => $"{group.Key}: {string.Join(' ', group.Select(static reason => reason.Tag()))}"));

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
