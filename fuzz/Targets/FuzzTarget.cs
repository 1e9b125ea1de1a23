using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace ChannelServer.Fuzz;

/// <summary>Reads any octets, and throws when what comes of them is not right.</summary>
internal delegate void FuzzTarget(ReadOnlySpan<byte> input);

/// <summary>Every target by the name of its corpus.</summary>
internal static class FuzzTargets
{
    /// <summary>Octets of an input that are looked at: a request head, and enough behind it to be cut.</summary>
    public const int MaxInput = 10_000;

    public static readonly IReadOnlyDictionary<string, FuzzTarget> All = new Dictionary<string, FuzzTarget>
    {
        ["frames"] = FrameTarget.Run,
        ["heads"] = HeadTarget.Run,
        ["facts"] = FactsTarget.Run,
        ["shard"] = ShardTarget.Run,
    };

    /// <summary>What a target expects to hold.</summary>
    /// <exception cref="FuzzException">It does not.</exception>
    public static void Check([DoesNotReturnIf(false)] bool holds, [CallerArgumentExpression(nameof(holds))] string? what = null)
    {
        if (!holds)
            throw new FuzzException(what ?? "");
    }
}

/// <summary>An input has shown something wrong.</summary>
internal sealed class FuzzException(string what) : Exception($"Does not hold: {what}");
