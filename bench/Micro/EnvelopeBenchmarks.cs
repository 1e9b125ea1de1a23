using System.Text;
using BenchmarkDotNet.Attributes;
using ChannelServer.Relay;

namespace ChannelServer.Bench.Micro;

/// <summary>What one envelope costs, for text as clients send it and for text that wants escapes.</summary>
public class EnvelopeBenchmarks
{
    private readonly Envelope _envelope = new();
    private readonly byte[] _sender = """{"city":"Mountain View","country":"USA","region":"California","remote":"10.0.0.1","ua":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}"""u8.ToArray();
    private byte[] _base64Url = [];
    private byte[] _json = [];

    [Params(100, 300, 1500, 16384)]
    public int Size { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _base64Url = Encoding.ASCII.GetBytes(new string('a', Size));
        string record = """{"hello":"wörld"}""";
        _json = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(record, Size / record.Length)));
    }

    [Benchmark(Baseline = true)]
    public int Base64Url() => _envelope.Encode(_base64Url, _sender).Length;

    [Benchmark]
    public int Json() => _envelope.Encode(_json, _sender).Length;
}
