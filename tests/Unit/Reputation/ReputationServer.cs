using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChannelServer.Tests.Reputation;

/// <summary>A reputation service with iprepd's two endpoints that are used here, and faults to order.</summary>
internal sealed class ReputationServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ReputationServer(WebApplication app) => _app = app;

    public Uri Address { get; private set; } = new("http://unset.invalid");

    /// <summary>Reputations by address; who is not here is unknown.</summary>
    public ConcurrentDictionary<string, string> Answers { get; } = new();

    /// <summary>Every request: method, path, body.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>The API key that every request must show, as iprepd is configured with one; null for none.</summary>
    public string? Key { get; set; }

    /// <summary>When set, no request is answered before it is completed.</summary>
    public TaskCompletionSource? Hold { get; set; }

    public int Status { get; set; }

    public int Lookups => Requests.Count(static request => request.StartsWith("GET ", StringComparison.Ordinal));

    public IEnumerable<string> Violations => Requests.Where(static request => request.StartsWith("PUT ", StringComparison.Ordinal));

    public static async Task<ReputationServer> StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        WebApplication app = builder.Build();
        ReputationServer server = new(app);
        app.Run(server.AnswerAsync);
        await app.StartAsync();
        server.Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return server;
    }

    /// <summary>Waits until a violation was reported.</summary>
    public async Task<string> ViolationAsync()
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        while (!Violations.Any())
            await Task.Delay(10, patience.Token);
        return Violations.First();
    }

    public async ValueTask DisposeAsync()
    {
        Hold?.TrySetResult();
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        using StreamReader reader = new(context.Request.Body);
        Requests.Enqueue($"{context.Request.Method} {context.Request.Path} {await reader.ReadToEndAsync()}".TrimEnd());
        if (Hold is { } hold)
            await hold.Task;
        string address = context.Request.Path.Value!.Split('/')[^1];
        if (Key is not null && context.Request.Headers.Authorization != $"APIKey {Key}")
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        else if (Status > 0)
            context.Response.StatusCode = Status;
        else if (context.Request.Method == "PUT")
            await context.Response.WriteAsync("{}");
        else if (Answers.TryGetValue(address, out string? answer))
            await context.Response.WriteAsync(answer);
        else
            context.Response.StatusCode = StatusCodes.Status404NotFound;
    }
}
