using ChannelServer.Conformance;

[assembly: AssemblyFixture(typeof(Servers))]

// Most tests wait for a socket or for a time limit of the contract; far more of them than cores can wait at once.
[assembly: CollectionBehavior(MaxParallelThreads = 16)]
