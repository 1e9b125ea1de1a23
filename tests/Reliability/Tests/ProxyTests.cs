using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using ChannelServer.Conformance;
using ChannelServer.Conformance.Wire;
using ChannelServer.Reliability.Harness;

namespace ChannelServer.Reliability.Tests;

/// <summary>Other people's programs: proxies in front of the server, and an attacker. They come with <c>make torture</c>.</summary>
public sealed class ProxyTests
{
    [Theory(Explicit = true)]
    [InlineData("haproxy")]
    [InlineData("nginx")]
    public async Task Behind_a_real_proxy_a_forged_address_never_wins(string proxy)
    {
        Effort.Require(File.Exists($"/usr/sbin/{proxy}"), $"{proxy} is not installed");
        await using Trial trial = await Trial.StartCalmAsync("--trusted_proxy_list=127.0.0.9");
        string folder = Directory.CreateTempSubdirectory(proxy).FullName;
        int port = ServerProcess.FreePort();
        string configuration = Path.Combine(folder, "proxy.conf");
        await File.WriteAllTextAsync(configuration, proxy == "nginx" ? Nginx(folder, port, trial.Server.Address) : HaProxy(port, trial.Server.Address));
        string[] arguments = proxy == "nginx" ? ["-p", folder, "-c", configuration] : ["-db", "-f", configuration];
        using Process process = Process.Start(new ProcessStartInfo($"/usr/sbin/{proxy}", arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        try
        {
            ServerUnderTest behind = new(new IPEndPoint(IPAddress.Loopback, port), null);
            await Effort.UntilAsync(() => Listens(behind.Address), TimeSpan.FromSeconds(20), () => $"{proxy} does not start.");
            string[][] forged =
            [
                [], ["X-Forwarded-For: 192.0.2.66"], ["X-Forwarded-For: 192.0.2.66, 10.0.0.1"], ["X-Forwarded-For: 192.0.2.66", "X-Forwarded-For: 127.0.0.1"],
                ["X-Forwarded-For: 127.0.0.9"], ["Forwarded: for=192.0.2.66"], ["X-Real-IP: 192.0.2.66"], ["x-forwarded-for:192.0.2.66"],
            ];
            foreach (string[] headers in forged)
            {
                // The true client is no loopback address for the server: it is told by the proxy alone.
                await using ChannelClient first = await ChannelClient.OpenAsync(behind, IPAddress.Parse("127.0.0.7"), headers);
                await using ChannelClient second = await ChannelClient.JoinAsync(behind, first.ChannelId);
                await first.SendTextAsync("who am I?");
                using JsonDocument sender = JsonDocument.Parse(await second.ReadSenderAsync());
                Assert.Equal("198.51.100.7", sender.RootElement.GetProperty("remote").GetString());
                await second.LeaveAsync();
                await first.LeaveAsync();
            }
            await trial.ConcludeAsync();
            Figures.Add($"X-Forwarded-For forged in {forged.Length} ways behind {proxy}", $"never believed; the proxy's word always");
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact(Explicit = true)]
    public async Task Slowhttptest_does_not_keep_others_out()
    {
        const string Program = "/usr/bin/slowhttptest";
        Effort.Require(File.Exists(Program), "slowhttptest is not installed");
        await using Trial trial = await Trial.StartAsync();
        string url = string.Create(CultureInfo.InvariantCulture, $"http://{trial.Server.Address}/v1/ws/");
        string[] arguments = ["-c", "1000", "-H", "-i", "5", "-r", "200", "-l", "40", "-x", "24", "-p", "3", "-u", url];
        using Process process = Process.Start(new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        string report = await output;
        Latencies latencies = await trial.ConcludeAsync();
        Assert.DoesNotContain("service available:   NO", report, StringComparison.Ordinal);
        Figures.Add("slowhttptest -c 1000 -H -i 5 -r 200", $"canary {latencies}");
    }

    private static bool Listens(IPEndPoint address)
    {
        using Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(address);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Says the client's address as 198.51.100.7: the test's clients are all of the loopback network, which counts as proxies.</summary>
    private static string HaProxy(int port, IPEndPoint server) => string.Create(CultureInfo.InvariantCulture, $"""
        defaults
          mode http
          timeout connect 5s
          timeout client 60s
          timeout server 60s
        frontend in
          bind 127.0.0.1:{port}
          http-request set-src str(198.51.100.7)
          option forwardfor
          default_backend out
        backend out
          server one {server} source 127.0.0.9

        """);

    private static string Nginx(string folder, int port, IPEndPoint server) => $$"""
        daemon off;
        master_process off;
        pid {{folder}}/nginx.pid;
        error_log {{folder}}/error.log;
        events { worker_connections 256; }
        http {
          access_log off;
          client_body_temp_path {{folder}}/body;
          proxy_temp_path {{folder}}/proxy;
          fastcgi_temp_path {{folder}}/fastcgi;
          uwsgi_temp_path {{folder}}/uwsgi;
          scgi_temp_path {{folder}}/scgi;
          server {
            listen 127.0.0.1:{{port.ToString(CultureInfo.InvariantCulture)}};
            location / {
              proxy_pass http://{{server}};
              proxy_bind 127.0.0.9;
              proxy_http_version 1.1;
              proxy_set_header Upgrade $http_upgrade;
              proxy_set_header Connection "upgrade";
              proxy_set_header X-Forwarded-For "$http_x_forwarded_for, 198.51.100.7";
            }
          }
        }

        """;
}
