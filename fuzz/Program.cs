using ChannelServer.Fuzz;
using SharpFuzz;

// Started by afl-fuzz, with the server's assembly instrumented: fuzz/run.sh. The argument names the target.
if (args is not [string name] || !FuzzTargets.All.TryGetValue(name, out FuzzTarget? target))
{
    Console.Error.WriteLine($"usage: afl-fuzz ... ChannelServer.Fuzz {string.Join('|', FuzzTargets.All.Keys)}");
    return 2;
}
byte[] buffer = new byte[FuzzTargets.MaxInput];
Fuzzer.Run(stream =>
{
    int length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
    target(buffer.AsSpan(0, length));
});
return 0;
