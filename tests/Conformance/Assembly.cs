using ChannelServer.Conformance;

[assembly: AssemblyFixture(typeof(Servers))]
