using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using ChannelServer.Bench.Micro;

// In this process: what is measured is internal to the server, and a generated project would not be its friend.
IConfig config = DefaultConfig.Instance
    .AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance))
    .AddDiagnoser(MemoryDiagnoser.Default)
    .WithArtifactsPath("artifacts/bench/micro");
BenchmarkSwitcher.FromAssembly(typeof(UpgradeBenchmarks).Assembly).Run(args, config);
