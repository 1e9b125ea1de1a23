using ChannelServer.Fuzz;

namespace ChannelServer.Tests.Fuzzing;

/// <summary>Runs every input that a fuzzer has found worth keeping through its target; a wrong one throws.</summary>
public sealed class CorpusTests
{
    public static TheoryData<string> Targets => [.. FuzzTargets.All.Keys];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Every_input_of_the_corpus_passes(string target)
    {
        string[] inputs = Inputs("corpus", target);
        Assert.NotEmpty(inputs);
        Replay(target, inputs);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public void What_once_crashed_passes(string target) => Replay(target, Inputs("regressions", target));

    /// <summary>The shortest inputs are the ones that a fuzzer may never write down.</summary>
    [Theory]
    [MemberData(nameof(Targets))]
    public void Any_two_octets_pass(string target)
    {
        FuzzTarget run = FuzzTargets.All[target];
        run([]);
        for (int first = 0; first <= byte.MaxValue; first++)
        {
            run([(byte)first]);
            run([(byte)first, 0xFF]);
        }
    }

    private static void Replay(string target, string[] inputs)
    {
        foreach (string path in inputs)
        {
            Exception? fault = Record.Exception(() => FuzzTargets.All[target](File.ReadAllBytes(path)));
            Assert.True(fault is null, $"{path}: {fault}");
        }
    }

    private static string[] Inputs(string kind, string target)
    {
        string folder = Path.Combine(Repository.Root, "fuzz", kind, target);
        return Directory.Exists(folder) ? Directory.GetFiles(folder) : [];
    }
}
