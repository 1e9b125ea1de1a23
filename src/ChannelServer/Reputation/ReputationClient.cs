using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using ChannelServer.Telemetry;

namespace ChannelServer.Reputation;

/// <summary>
/// Speaks with Mozilla's reputation service, iprepd (https://github.com/mozilla-services/iprepd). Whatever goes wrong is no answer: the
/// service is advice, and its absence must not keep anybody out.
/// </summary>
internal sealed class ReputationClient : IDisposable
{
    // An answer is a hundred octets.
    private const int MaxAnswer = 16 * 1024;
    private const int MaxConnections = 16;

    private static readonly MediaTypeHeaderValue _json = new("application/json");

    private readonly HttpClient _http;
    private readonly string _violation;
    private readonly CircuitBreaker _breaker;
    private readonly ILogger _logger;

    /// <param name="server">Where the service is.</param>
    /// <param name="key">The API key that every request shows; empty for none.</param>
    /// <param name="timeout">How long to wait for an answer.</param>
    /// <param name="violation">What misbehaving addresses are reported for.</param>
    /// <param name="logger">Told when the service is lost and found.</param>
    /// <param name="time">The clock.</param>
    public ReputationClient(Uri server, string key, TimeSpan timeout, string violation, ILogger logger, TimeProvider time)
    {
        _violation = violation;
        _logger = logger;
        _breaker = new CircuitBreaker(time);
        SocketsHttpHandler handler = new()
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            // What the environment says about proxies is meant for other programs.
            UseProxy = false,
            ConnectTimeout = timeout,
            MaxConnectionsPerServer = MaxConnections,
            // So that a service that moves is found by its name again.
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        };
        _http = new HttpClient(handler)
        {
            // A base without its last slash would lose its last part.
            BaseAddress = server.AbsoluteUri.EndsWith('/') ? server : new Uri(server.AbsoluteUri + "/"),
            Timeout = timeout,
            MaxResponseContentBufferSize = MaxAnswer,
        };
        if (key.Length > 0)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("APIKey", key);
    }

    /// <summary>The reputation of an address, 0 to 100; null when there was no answer. Never throws for what a network does.</summary>
    public async Task<int?> GetReputationAsync(IPAddress address)
    {
        if (!_breaker.TryPass())
            return null;
        try
        {
            using HttpResponseMessage response = await _http.GetAsync(new Uri($"type/ip/{address}", UriKind.Relative));
            int? reputation = response.StatusCode switch
            {
                HttpStatusCode.NotFound => 100,
                HttpStatusCode.OK => ReadReputation(await response.Content.ReadAsByteArrayAsync()),
                _ => null,
            };
            Note(reputation is null ? $"status {(int)response.StatusCode}, or no reputation in the answer" : null);
            return reputation;
        }
        catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException or IOException)
        {
            Note(fault.Message);
            return null;
        }
    }

    /// <summary>Reports an address. Whether that succeeds concerns nobody.</summary>
    public async Task ReportAsync(IPAddress address)
    {
        if (!_breaker.TryPass())
            return;
        string text = address.ToString();
        using ByteArrayContent body = new(WriteViolation(text));
        body.Headers.ContentType = _json;
        try
        {
            using HttpResponseMessage response = await _http.PutAsync(new Uri($"violations/type/ip/{text}", UriKind.Relative), body);
            Note(response.IsSuccessStatusCode ? null : $"status {(int)response.StatusCode} for a violation");
        }
        catch (Exception fault) when (fault is HttpRequestException or OperationCanceledException or IOException)
        {
            Note(fault.Message);
        }
    }

    public void Dispose() => _http.Dispose();

    private void Note(string? fault)
    {
        if (fault is not null && _breaker.Failed())
            _logger.ReputationLost(fault, CircuitBreaker.Pause.TotalSeconds);
        else if (fault is null && _breaker.Succeeded())
            _logger.ReputationFound();
    }

    private byte[] WriteViolation(string address)
    {
        ArrayBufferWriter<byte> body = new();
        using Utf8JsonWriter json = new(body);
        json.WriteStartObject();
        json.WriteString("object"u8, address);
        json.WriteString("type"u8, "ip"u8);
        json.WriteString("violation"u8, _violation);
        json.WriteEndObject();
        json.Flush();
        return body.WrittenSpan.ToArray();
    }

    private static int? ReadReputation(byte[] body)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("reputation"u8, out JsonElement value)
                && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int reputation)
                ? reputation
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
