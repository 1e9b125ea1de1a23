using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ChannelServer.Admission;
using ChannelServer.Relay;
using ChannelServer.Transport;
using ChannelServer.WebSockets;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace ChannelServer.Http;

/// <summary>
/// A channel upgrade that is not the first request of its connection, as load balancers send them that reuse connections: the
/// driver has left the connection to Kestrel's HTTP by then, so the request comes back from there.
/// </summary>
internal static class LateUpgrade
{
    /// <summary>Answers the request as the driver would have, and runs the session over the upgraded stream.</summary>
    public static async Task HandleAsync(HttpContext context, ChannelEngine engine)
    {
        StreamPipes pipes = new();
        RequestOutcome request = Judge(context, engine, pipes);
        if (request.Session is { } session)
        {
            Refusal refusal = await CarryAsync(context, engine, session, pipes);
            if (refusal.IsNone)
            {
                await pipes.Output.CompleteAsync();
                await pipes.Input.CompleteAsync();
                return;
            }
            request = RequestOutcome.Refused(refusal);
        }
        if (request.Kind == RequestOutcomeKind.Elsewhere)
            Answer(context.Response, StatusCodes.Status404NotFound, retryAfter: 0);
        else
            Answer(context.Response, request.Refusal.Status, request.Refusal.RetryAfter);
    }

    private static async Task<Refusal> CarryAsync(HttpContext context, ChannelEngine engine, PipeSession session, StreamPipes pipes)
    {
        engine.BeginLateUpgrade();
        try
        {
            if (await engine.AskAsync(session) is { IsNone: false } refusal)
                return refusal;
            pipes.Attach(await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync());
            await session.RunAsync();
            return default;
        }
        finally
        {
            engine.Admission.Release(ref session.Ticket);
            engine.EndLateUpgrade();
        }
    }

    private static RequestOutcome Judge(HttpContext context, ChannelEngine engine, StreamPipes pipes)
    {
        // The one parser judges this request too, so that there is one set of rules. Kestrel reads header fields as Latin-1 here, so these are
        // the client's octets again.
        byte[] bytes = Encoding.Latin1.GetBytes(WriteHead(context));
        IPAddress? peer = context.Connection.RemoteIpAddress;
        HeadStatus parsed = RequestHead.TryParse(bytes, out RequestHead head);
        if (parsed != HeadStatus.Complete)
            return RequestOutcome.Refused(engine.Admission.RefuseHead(ChannelRoute.FaultOf(parsed), peer));
        ChannelRoute route = ChannelRoute.Of(head);
        if (route.Kind == RouteKind.Elsewhere)
            return RequestOutcome.Elsewhere;
        if (route.Kind == RouteKind.Refuse)
            return RequestOutcome.Refused(engine.RefuseRequest(head, route.Fault, peer));

        context.Response.Headers.Upgrade = "websocket";
        context.Response.Headers.Connection = "Upgrade";
        context.Response.Headers.SecWebSocketAccept = UpgradeRequest.Accept(head);
        if (ClientFactsReader.VersionOf(head) == ProtocolVersion.Two)
            context.Response.Headers.SecWebSocketProtocol = Encoding.ASCII.GetString(ProtocolVersions.VersionTwo);
        Socket? socket = context.Features.Get<ITlsHandshakeFeature>() is null ? context.Features.Get<IConnectionSocketFeature>()?.Socket : null;
        PipeConnection connection = new(pipes, socket, context.Features.GetRequiredFeature<IConnectionLifetimeFeature>());
        return engine.Admit(head, route.ChannelId, peer, connection, sendsResponse: false);
    }

    private static string WriteHead(HttpContext context)
    {
        IHttpRequestFeature request = context.Features.GetRequiredFeature<IHttpRequestFeature>();
        StringBuilder head = new();
        head.Append(request.Method).Append(' ').Append(request.RawTarget).Append(' ').Append(request.Protocol).Append("\r\n");
        foreach ((string name, Microsoft.Extensions.Primitives.StringValues values) in request.Headers)
        {
            foreach (string? value in values)
                head.Append(name).Append(": ").Append(value).Append("\r\n");
        }
        return head.Append("\r\n").ToString();
    }

    private static void Answer(HttpResponse response, int status, int retryAfter)
    {
        response.StatusCode = status;
        // What was meant for an upgrade must not stand in an error.
        response.Headers.Clear();
        response.Headers.Connection = "close";
        if (retryAfter > 0)
            response.Headers.RetryAfter = retryAfter.ToString(CultureInfo.InvariantCulture);
        if (status == StatusCodes.Status405MethodNotAllowed)
            response.Headers.Allow = "GET";
        if (status == StatusCodes.Status426UpgradeRequired)
        {
            response.Headers.Connection = "close, Upgrade";
            response.Headers.Upgrade = "websocket";
            response.Headers.SecWebSocketVersion = "13";
        }
    }

    /// <summary>Pipes over a stream that exists only after the session has been made.</summary>
    private sealed class StreamPipes : IDuplexPipe
    {
        private PipeReader? _input;
        private PipeWriter? _output;

        public PipeReader Input => _input!;

        public PipeWriter Output => _output!;

        public void Attach(Stream stream)
        {
            _input = PipeReader.Create(stream, new StreamPipeReaderOptions(useZeroByteReads: true));
            _output = PipeWriter.Create(stream);
        }
    }
}
