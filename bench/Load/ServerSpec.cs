using System.Text.Json;

namespace ChannelServer.Bench;

/// <summary>A server to measure, as <c>bench/servers.json</c> describes it.</summary>
/// <param name="Name">Short, for the command line and the raw figures.</param>
/// <param name="Title">For tables and charts.</param>
/// <param name="Command">Program and arguments; {port} and {heartbeat} are filled in. Relative to the repository.</param>
/// <param name="Environment">Variables set for it alone.</param>
/// <param name="Workloads">The only loads that it is put under; all, if not given.</param>
internal sealed record ServerSpec(
    string Name, string Title, string[] Command, Dictionary<string, string>? Environment = null, string[]? Workloads = null)
{
    private static readonly JsonSerializerOptions _json = new(JsonSerializerDefaults.Web) { ReadCommentHandling = JsonCommentHandling.Skip };

    public bool Takes(string workload) => Workloads is null || Workloads.Contains(workload);

    public static List<ServerSpec> Load(string path) =>
        JsonSerializer.Deserialize<List<ServerSpec>>(File.ReadAllText(path), _json)!;
}
