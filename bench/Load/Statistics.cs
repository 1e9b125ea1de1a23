namespace ChannelServer.Bench;

/// <summary>Medians, and ratios of two servers within a round.</summary>
internal sealed class Statistics(IEnumerable<Measurement> measurements)
{
    private readonly Measurement[] _valid = [.. measurements.Where(static measurement => !measurement.Discarded)];

    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    public bool Has(string workload, string server) => Of(workload, server).Any();

    public double Median(string workload, string server, Func<Measurement, double?> figure) =>
        Median(Figures(workload, server, figure));

    /// <summary>The figures of all rounds.</summary>
    public double[] All(string workload, string server, Func<Measurement, double?> figure) => [.. Figures(workload, server, figure)];

    /// <summary>The ratios of one server to another, each within one round.</summary>
    public double[] Ratios(string workload, string server, string against, Func<Measurement, double?> figure)
    {
        Dictionary<int, double> divisors = Of(workload, against).ToDictionary(static m => m.Round, m => figure(m) ?? double.NaN);
        return [.. Of(workload, server).Where(m => divisors.ContainsKey(m.Round)).Select(m => (figure(m) ?? double.NaN) / divisors[m.Round])];
    }

    private IEnumerable<double> Figures(string workload, string server, Func<Measurement, double?> figure) =>
        Of(workload, server).Select(m => figure(m) ?? double.NaN);

    private IEnumerable<Measurement> Of(string workload, string server) =>
        _valid.Where(m => m.Workload == workload && m.Server == server);
}
