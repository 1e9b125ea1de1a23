using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ChannelServer.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelServer.Tests;

public sealed class EndpointsTests : IAsyncLifetime
{
    private readonly HttpClient _client = new();
    private WebApplication? _app;
    private bool _draining;
    private Func<bool> _databaseIsWell = static () => true;

    public async ValueTask InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _app = builder.Build();
        Endpoints endpoints = new(
            BuildVersion.Read(AppContext.BaseDirectory), [new HealthCheck("database", () => _databaseIsWell())], () => _draining, NullLogger.Instance);
        _app.Use((HttpContext context, RequestDelegate next) => endpoints.TryAnswer(context) ?? next(context));
        await _app.StartAsync();
        string address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        _client.BaseAddress = new Uri(address);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app!.DisposeAsync();
    }

    private async Task<(HttpStatusCode Status, string Body, HttpResponseMessage Response)> Send(string path, string method = "GET")
    {
        using HttpRequestMessage request = new(new HttpMethod(method), path);
        HttpResponseMessage response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), response);
    }

    [Fact]
    public async Task Heartbeat_tells_version_and_checks()
    {
        (HttpStatusCode status, string body, HttpResponseMessage response) = await Send("/__heartbeat__");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        string version = BuildVersion.Read(AppContext.BaseDirectory).Version;
        Assert.Equal($$$"""{"status":"ok","version":"{{{version}}}","checks":{"database":"ok"}}""", body);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Heartbeat_is_503_when_a_check_fails_or_breaks(bool breaks)
    {
        _databaseIsWell = () => breaks ? throw new InvalidOperationException("secret detail") : false;
        (HttpStatusCode status, string body, _) = await Send("/__heartbeat__");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Contains("\"status\":\"error\"", body, StringComparison.Ordinal);
        Assert.Contains("\"database\":\"error\"", body, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Load_balancers_are_told_of_the_draining()
    {
        Assert.Equal(HttpStatusCode.OK, (await Send("/__lbheartbeat__")).Status);
        _draining = true;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await Send("/__lbheartbeat__")).Status);
        Assert.Equal(HttpStatusCode.OK, (await Send("/__heartbeat__")).Status);
    }

    [Fact]
    public async Task Version_is_Dockerflows_object()
    {
        (HttpStatusCode status, string body, _) = await Send("/__version__");
        Assert.Equal(HttpStatusCode.OK, status);
        using var document = JsonDocument.Parse(body);
        Assert.Equal(["source", "version", "commit", "build"], document.RootElement.EnumerateObject().Select(static member => member.Name));
    }

    [Theory]
    [InlineData("/__heartbeat__")]
    [InlineData("/__lbheartbeat__")]
    [InlineData("/__version__")]
    public async Task Other_methods_are_405(string path)
    {
        foreach (string method in new[] { "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH" })
        {
            (HttpStatusCode status, string body, HttpResponseMessage response) = await Send(path, method);
            Assert.Equal(HttpStatusCode.MethodNotAllowed, status);
            Assert.Equal(["GET"], response.Content.Headers.Allow);
            Assert.Equal("", body);
        }
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/__heartbeat__/")]
    [InlineData("/__HEARTBEAT__")]
    [InlineData("/__version__x")]
    public async Task Other_paths_are_404(string path) => Assert.Equal(HttpStatusCode.NotFound, (await Send(path)).Status);

    [Theory]
    [InlineData("/__version__", "200")]
    [InlineData("/__version__?a=/x", "200")]
    [InlineData("http://a/__version__", "200")]
    [InlineData("/__%76ersion__", "404")]
    [InlineData("/a/../__version__", "404")]
    [InlineData("/%2e/__version__", "404")]
    [InlineData("//__version__", "404")]
    public async Task Paths_are_taken_as_they_are_sent(string target, string status)
    {
        using TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, _client.BaseAddress!.Port, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync(
            Encoding.ASCII.GetBytes($"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"), TestContext.Current.CancellationToken);
        Assert.StartsWith($"HTTP/1.1 {status} ", await RunningServer.ReadHeadAsync(client), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"version":""}""")]
    [InlineData("""{"version":"9.9.9"} x""")]
    [InlineData("""{"version":{"major":9}}""")]
    [InlineData("""{"version":"\ud800"}""")]
    [InlineData(null)]
    public void A_missing_or_unsound_version_file_does_no_harm(string? text)
    {
        string directory = Directory.CreateTempSubdirectory("channelserver-version-").FullName;
        if (text is not null)
            File.WriteAllText(Path.Combine(directory, "version.json"), text);
        BuildVersion version = BuildVersion.Read(directory);
        Directory.Delete(directory, recursive: true);
        Assert.Matches(@"^\d+\.\d+\.\d+$", version.Version);
        Assert.Equal("", version.Commit);
    }
}
