namespace ChannelServer.Tests;

/// <summary>Where the sources of this test run stand.</summary>
internal static class Repository
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    private static string Find(string directory) => File.Exists(Path.Combine(directory, "ChannelServer.slnx"))
        ? directory
        : Find(Path.GetDirectoryName(directory.TrimEnd('/')) ?? throw new InvalidOperationException("The tests run outside the repository."));
}
