using ChannelServer.Simulation;

// Test tools start this program as they start every test project; "simulate" runs seeds without them.
if (args.Length > 0 && args[0] == "simulate")
    return Command.Run(args[1..]);
if (args.Contains("--server") || args.Contains("--internal-msbuild-node"))
    return await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
return await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
