using System.Buffers.Text;

namespace ChannelServer.Relay;

/// <summary>What a client says who wants a held seat back: the query of its upgrade request.</summary>
/// <param name="Token">The key to the seat.</param>
/// <param name="Received">How many envelopes the client has seen on this seat; null when it does not say.</param>
/// <param name="IsValid">Whether all of it could be read. What cannot is refused like a wrong token.</param>
internal readonly record struct ResumeClaim(ResumeToken Token, int? Received, bool IsValid)
{
    /// <summary>Reads a query. Without a parameter <c>resume</c> there is no claim; other parameters than ours mean nothing.</summary>
    public static ResumeClaim? Of(ReadOnlySpan<byte> query)
    {
        if (!TryGet(query, "resume="u8, out ReadOnlySpan<byte> text))
            return null;
        bool isValid = ResumeToken.TryParse(text, out ResumeToken token);
        int? received = null;
        if (TryGet(query, "received="u8, out ReadOnlySpan<byte> count))
        {
            isValid &= !count.IsEmpty && !count.ContainsAnyExceptInRange((byte)'0', (byte)'9');
            isValid &= Utf8Parser.TryParse(count, out int number, out int read) && read == count.Length;
            received = number;
        }
        return new ResumeClaim(token, received, isValid);
    }

    /// <summary>The value of a parameter, the first of its name; nothing is percent-decoded, since neither value needs it.</summary>
    private static bool TryGet(ReadOnlySpan<byte> query, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        foreach (Range range in query.Split((byte)'&'))
        {
            ReadOnlySpan<byte> parameter = query[range];
            if (!parameter.StartsWith(name))
                continue;
            value = parameter[name.Length..];
            return true;
        }
        value = default;
        return false;
    }
}
