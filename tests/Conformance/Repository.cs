namespace ChannelServer.Conformance;

/// <summary>Where the files of the project are, seen from a test's output folder.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    /// <summary>Debug or Release: tests run the server of their own configuration.</summary>
    public static string Configuration { get; } = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    private static string Find()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "ChannelServer.slnx")))
            folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("No ChannelServer.slnx above the test's output.");
    }
}
