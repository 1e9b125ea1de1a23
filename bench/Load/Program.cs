using System.Globalization;
using ChannelServer.Bench;
using ChannelServer.Transport.Linux;

const string Usage = """
    channel server benchmarks: server on core 0, generator on core 1 (start it with taskset -c 1), from the repository's root
      --rounds N         how often everything is measured (1)
      --quick            seconds instead of minutes: a glance, no figures to quote
      --servers a,b      only these of bench/servers.json
      --workloads a,b    only these: lockstep, rate, pipelined, sessions, lockstep-100, lockstep-1500, lockstep-16384, idle
      --list FILE        another list of servers
      --report DIR       write DIR/benchmarks.md, its charts and the raw figures
    """;

int rounds = 1;
bool quick = false;
string list = "bench/servers.json";
string? report = null;
string[]? onlyServers = null, onlyWorkloads = null;
for (int i = 0; i < args.Length; i++)
{
    if (args[i] == "--quick")
    {
        quick = true;
        continue;
    }
    string? value = i + 1 < args.Length ? args[i + 1] : null;
    switch (args[i++])
    {
        case "--rounds" when int.TryParse(value, CultureInfo.InvariantCulture, out rounds) && rounds > 0:
            break;
        case "--servers" when value is not null:
            onlyServers = value.Split(',');
            break;
        case "--workloads" when value is not null:
            onlyWorkloads = value.Split(',');
            break;
        case "--list" when value is not null:
            list = value;
            break;
        case "--report" when value is not null:
            report = value;
            break;
        default:
            Console.Error.WriteLine(Usage);
            return 2;
    }
}

Pace pace = quick ? Pace.Quick : Pace.Full;
ServerSpec[] servers = [.. ServerSpec.Load(list).Where(spec => onlyServers?.Contains(spec.Name) ?? true)];
_ = LibC.RaiseDescriptorLimit();
LibC.GetDescriptorLimit(out long descriptors, out _);
if (servers.Length == 0 || descriptors < pace.IdleConnections + 200)
{
    Console.Error.WriteLine(servers.Length == 0 ? "no such server" : $"{descriptors} descriptors are too few for {pace.IdleConnections} connections");
    return 2;
}

Campaign campaign = new(servers, workload => onlyWorkloads?.Contains(workload) ?? true, pace, Console.Out);
try
{
    campaign.Run(rounds);
}
catch (LoadFailureException failure)
{
    Console.Error.WriteLine($"the run failed: {failure.Message}");
    return 1;
}

Statistics statistics = new(campaign.Measurements);
foreach (Goal goal in Goal.All)
    Console.WriteLine(goal.Row(statistics));
if (report is not null)
    new Report(report, servers, campaign.Measurements, Surroundings.Read("ChannelServer.Bench " + string.Join(' ', args), rounds)).Write();
return 0;
