namespace ChannelServer.Tests.Architecture;

/// <summary>What a program that has a server inside can see of it: to show more is a decision, not an accident.</summary>
public sealed class PublicSurfaceTests
{
    [Fact]
    public void It_is_the_host_and_its_settings() => Assert.Equal(
        [
            "ChannelServer.ChannelServerHost", "ChannelServer.Engine", "ChannelServer.LimitMode", "ChannelServer.LocalizeFor", "ChannelServer.LogRemote",
            "ChannelServer.Settings", "ChannelServer.SettingsLoad", "ChannelServer.StatsdTarget",
        ],
        typeof(ChannelServerHost).Assembly.GetExportedTypes().Select(static type => type.FullName!).Order(StringComparer.Ordinal));
}
