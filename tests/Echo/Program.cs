using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using ChannelServer.Echo;
using ChannelServer.WebSockets;

Dictionary<string, string> options = new()
{
    ["host"] = "127.0.0.1",
    ["port"] = "9001",
    ["engine"] = OperatingSystem.IsLinux() ? "epoll" : "kestrel",
    ["max-message"] = EchoServer.WideLimits.MaxMessage.ToString(CultureInfo.InvariantCulture),
    ["max-fragments"] = EchoServer.WideLimits.MaxFragments.ToString(CultureInfo.InvariantCulture),
};
foreach (string arg in args)
{
    string[] parts = arg.TrimStart('-').Split('=', 2);
    if (parts.Length < 2 || !options.ContainsKey(parts[0]))
    {
        Console.Error.WriteLine($"{arg} is no option: {string.Join(' ', options.Select(option => $"--{option.Key}={option.Value}"))}");
        return 2;
    }
    options[parts[0]] = parts[1];
}

FrameLimits limits = new(Number("max-message"), Number("max-fragments"), AcceptsBinary: true);
await using EchoServer server = await EchoServer.StartAsync(
    options["engine"], new IPEndPoint(IPAddress.Parse(options["host"]), Number("port")), limits);
Console.WriteLine($"Echo at ws://{server.EndPoint}/ ({options["engine"]})");
TaskCompletionSource interrupted = new();
using PosixSignalRegistration onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
await interrupted.Task;
return 0;

void End(PosixSignalContext signal)
{
    signal.Cancel = true;
    interrupted.TrySetResult();
}

int Number(string option) => int.Parse(options[option], CultureInfo.InvariantCulture);
