namespace ChannelServer.Tests;

/// <summary>The collection of tests that measure this process (its memory, descriptors, threads), so that nothing else may run beside them.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
