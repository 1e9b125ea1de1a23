namespace ChannelServer.Tests.Architecture;

/// <summary>What a program that has a server inside can see of it: to show more is a decision, not an accident.</summary>
public sealed class PublicSurfaceTests
{
    [Fact]
    public void It_is_the_host_and_its_settings() => Assert.Equal(
        ["ChannelServerHost", "Engine", "LimitMode", "LocalizeFor", "LogRemote", "Settings", "SettingsLoad", "StatsdTarget"],
        Exported().Where(static type => type.Namespace == "ChannelServer").Select(static type => type.Name));

    /// <summary>The core's types are not internal yet; they stand alone, without what uses them.</summary>
    [Fact]
    public void Nothing_else_is_public() =>
        Assert.DoesNotContain(Exported(), static type => type.Namespace is not ("ChannelServer" or "ChannelServer.Relay"));

    private static IEnumerable<Type> Exported() =>
        typeof(ChannelServerHost).Assembly.GetExportedTypes().OrderBy(static type => type.Name, StringComparer.Ordinal);
}
