using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace ChannelServer.Relay;

/// <summary>What must hold whatever clients do. Checked in release builds too; never for input from outside.</summary>
internal static class Invariant
{
    /// <exception cref="InvariantException">It does not hold: a bug of ours, which ends the channel where it showed.</exception>
    public static void Require([DoesNotReturnIf(false)] bool holds, [CallerArgumentExpression(nameof(holds))] string? what = null)
    {
        if (!holds)
            throw new InvariantException(what ?? "an invariant");
    }
}

/// <summary>Something that must hold did not.</summary>
internal sealed class InvariantException(string what) : Exception($"This must hold and does not: {what}");
