using ChannelServer.Client;
using ChannelServer.Conformance;

namespace ChannelServer.Clients;

/// <summary>The example of the README, as it stands there.</summary>
public sealed class ExampleTests(Servers servers)
{
    [Fact]
    public async Task The_example_runs()
    {
        Uri server = new($"ws://{(await servers.DefaultAsync()).Address}");
        // README
        await using ChannelClient first = await ChannelClient.OpenAsync(server);
        first.PeerChanged += (_, change) => Console.WriteLine($"peer {change.Id}: {change.News}");

        // In a real pairing the channel's id travels in a QR code.
        ChannelClient second = await ChannelClient.JoinAsync(server, first.ChannelId);
        await second.SendAsync("hello"); // The server has it.
        await second.CloseAsync();

        await foreach (ChannelMessage message in first.Messages)
        {
            Console.WriteLine($"\"{message.Text}\" from {message.Sender.Remote}");
            break;
        }
        // README
    }

    [Fact]
    public void The_example_is_that_of_the_readme()
    {
        string source = File.ReadAllText(Path.Combine(Repository.Root, "tests/Clients/ExampleTests.cs"));
        string readme = File.ReadAllText(Path.Combine(Repository.Root, "clients/dotnet/README.md"));
        string[] example = source.Split("        // README\n")[1].Split('\n');
        string unindented = string.Join('\n', example.Select(line => line.Length > 8 ? line[8..] : line.Trim()));
        Assert.Contains(unindented, readme, StringComparison.Ordinal);
    }
}
