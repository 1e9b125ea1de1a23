using ChannelServer.Transport;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;

namespace ChannelServer.Http;

/// <summary>What Kestrel serves behind the drivers: Dockerflow's endpoints, and upgrades that come late on their connection.</summary>
/// <param name="endpoints">Answers first.</param>
/// <param name="engine">Takes the rest.</param>
internal sealed class HttpApplication(Endpoints endpoints, ChannelEngine engine) : IHttpApplication<HttpContext>
{
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public Task ProcessRequestAsync(HttpContext context) => endpoints.TryAnswer(context) ?? LateUpgrade.HandleAsync(context, engine);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
        // It owns nothing; Kestrel logs the exception.
    }
}
