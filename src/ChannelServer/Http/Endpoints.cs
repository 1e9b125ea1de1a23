using System.Buffers;
using System.Text.Json;
using ChannelServer.Telemetry;
using Microsoft.AspNetCore.Http.Features;

namespace ChannelServer.Http;

/// <summary>A dependency that the server cannot do without.</summary>
/// <param name="Name">As it appears in the answer of <c>/__heartbeat__</c>.</param>
/// <param name="IsWell">Answers at once, from what is known; a check that has to ask a network does so elsewhere.</param>
/// <param name="IsVital">Whether the server is sick when the check fails. If not, the answer only warns.</param>
internal sealed record HealthCheck(string Name, Func<bool> IsWell, bool IsVital = true);

/// <summary>
/// Dockerflow's three endpoints (https://github.com/mozilla-services/Dockerflow), each for GET alone. Matched octet by octet, as the
/// protocol does with its own paths, and so not by the framework's routing, which ignores case and a trailing slash.
/// </summary>
/// <param name="version">What <c>/__version__</c> serves.</param>
/// <param name="checks">What <c>/__heartbeat__</c> asks; a vital one that fails makes it 503.</param>
/// <param name="isDraining">Makes <c>/__lbheartbeat__</c> 503, so that load balancers turn away before the server does.</param>
/// <param name="logger">Told what a broken check threw.</param>
internal sealed class Endpoints(BuildVersion version, IReadOnlyList<HealthCheck> checks, Func<bool> isDraining, ILogger logger)
{
    private const string JsonType = "application/json";

    /// <summary>Answers a request for one of the three paths.</summary>
    /// <returns>Null when the request is for another path.</returns>
    public Task? TryAnswer(HttpContext context)
    {
        Func<HttpResponse, Task>? answer = PathOf(context) switch
        {
            "/__heartbeat__" => Heartbeat,
            "/__lbheartbeat__" => LoadBalancerHeartbeat,
            "/__version__" => response => Send(response, StatusCodes.Status200OK, version.Json),
            _ => null,
        };
        if (answer is null)
            return null;
        if (HttpMethods.IsGet(context.Request.Method))
            return answer(context.Response);
        context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
        context.Response.Headers.Allow = HttpMethods.Get;
        return Task.CompletedTask;
    }

    /// <summary>
    /// The path as it was sent. Kestrel's has been decoded and its dots resolved, so a proxy in front that keeps a path to itself would not
    /// know it in every form that it has there.
    /// </summary>
    private static string? PathOf(HttpContext context)
    {
        string target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        int query = target.IndexOf('?');
        return target.StartsWith('/') ? target[..(query < 0 ? target.Length : query)] : context.Request.Path.Value;
    }

    private Task Heartbeat(HttpResponse response)
    {
        ArrayBufferWriter<byte> body = new();
        bool[] well = [.. checks.Select(IsWell)];
        bool ok = checks.Zip(well).All(static check => check.Second || !check.First.IsVital);
        using (Utf8JsonWriter json = new(body))
        {
            json.WriteStartObject();
            json.WriteString("status"u8, Word(ok));
            json.WriteString("version"u8, version.Version);
            json.WriteStartObject("checks"u8);
            for (int i = 0; i < checks.Count; i++)
                json.WriteString(checks[i].Name, Word(well[i], checks[i].IsVital));
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return Send(response, ok ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, body.WrittenMemory);

        static string Word(bool isWell, bool isVital = true) => isWell ? "ok" : isVital ? "error" : "warning";
    }

    private bool IsWell(HealthCheck check)
    {
        try
        {
            return check.IsWell();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // Whatever a broken check throws, the answer is that it failed; what was thrown is for the log alone.
            logger.HealthCheckFailed(check.Name, exception);
            return false;
        }
    }

    private Task LoadBalancerHeartbeat(HttpResponse response)
    {
        response.StatusCode = isDraining() ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        response.ContentLength = 0;
        return Task.CompletedTask;
    }

    private static Task Send(HttpResponse response, int status, ReadOnlyMemory<byte> json)
    {
        response.StatusCode = status;
        response.ContentType = JsonType;
        response.ContentLength = json.Length;
        response.Headers.CacheControl = "no-store";
        return response.Body.WriteAsync(json).AsTask();
    }
}
