namespace ChannelServer.Tests.Architecture;

/// <summary>The core and the codec do no I/O, know no clock, start no task, and know nothing of what drives them.</summary>
public sealed class DependencyTests
{
    /// <summary>Namespaces of the base library that cannot reach outside the process.</summary>
    private static readonly string[] _allowedNamespaces =
    [
        "System.Buffers", "System.Buffers.Binary", "System.Buffers.Text", "System.Collections", "System.Collections.Generic", "System.Linq",
        "System.Numerics", "System.Runtime.CompilerServices", "System.Runtime.InteropServices", "System.Text", "System.Text.Unicode",
    ];

    /// <summary>Single types of namespaces that hold worse; the rest of System is spelt out below.</summary>
    private static readonly string[] _allowedTypes =
    [
        "System.Diagnostics.UnreachableException", "System.Net.IPAddress", "System.Net.Sockets.AddressFamily",
        "System.Collections.IEnumerable", "System.Reflection.MemberInfo",
    ];

    /// <summary>What System itself holds of clocks, chance and the outside.</summary>
    private static readonly string[] _forbiddenTypes =
    [
        "System.AppContext", "System.AppDomain", "System.Console", "System.DateOnly", "System.DateTime", "System.DateTimeOffset",
        "System.Environment", "System.Random", "System.TimeOnly", "System.TimeProvider", "System.TimeZoneInfo", "System.Progress`1",
        "System.Activator", "System.Lazy`1", "System.WeakReference",
    ];

    [Fact]
    public void The_codec_depends_on_nothing_but_the_base_library() => Assert.Empty(Violations("ChannelServer.WebSockets"));

    [Fact]
    public void The_core_depends_on_nothing_but_the_base_library_and_the_codec() =>
        Assert.Empty(Violations("ChannelServer.Relay", "ChannelServer.WebSockets"));

    [Fact]
    public void The_rule_sees_what_it_is_there_for()
    {
        List<string> found = Violations("ChannelServer.Transport", "ChannelServer.Relay", "ChannelServer.WebSockets");
        Assert.Contains(found, use => use.Contains("-> System.Net.Sockets.Socket", StringComparison.Ordinal));
        Assert.Contains(found, use => use.Contains("-> System.Threading.Tasks.Task", StringComparison.Ordinal));
        Assert.Contains(found, use => use.Contains("-> System.TimeProvider", StringComparison.Ordinal));
        Assert.Contains(found, use => use.Contains("-> System.IO.Pipelines.", StringComparison.Ordinal));
        Assert.Contains(found, use => use.Contains("-> Microsoft.AspNetCore.", StringComparison.Ordinal));
        Assert.Contains(found, use => use.Contains("-> ChannelServer.Http.", StringComparison.Ordinal));
        // And the codec would be told about the core.
        Assert.Contains(Violations("ChannelServer.Relay"), use => use.Contains("-> ChannelServer.WebSockets.", StringComparison.Ordinal));
    }

    private static List<string> Violations(string @namespace, params string[] known) =>
        [.. TypeReferences.Of(typeof(ChannelServer.Relay.Limits).Assembly.Location, @namespace).Where(use => !IsAllowed(use.Split(" -> ")[1], known))];

    private static bool IsAllowed(string type, string[] known)
    {
        string outer = type.Split('+')[0];
        string @namespace = outer[..outer.LastIndexOf('.')];
        // Types that the compiler makes have no namespace, and a name that no source can have.
        bool isCompilers = @namespace.Length == 0 && outer.StartsWith(".<", StringComparison.Ordinal);
        bool isOurs = known.Contains(@namespace);
        bool isPlain = @namespace == "System" && !_forbiddenTypes.Contains(outer);
        return isCompilers || isOurs || isPlain || _allowedNamespaces.Contains(@namespace) || _allowedTypes.Contains(outer);
    }
}
