using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace ChannelServer.WebSockets;

/// <summary>Validates UTF-8 that arrives in pieces, and fails at the first octet that no continuation could mend.</summary>
internal static class Utf8Text
{
    /// <summary>
    /// Looks at text whose first octet starts a character and whose end may cut one.
    /// </summary>
    /// <param name="text">What has not been validated yet.</param>
    /// <param name="validated">Octets that need no second look: all but a character cut off at the end, which is at most 3.</param>
    /// <returns>False when the text cannot become valid, whatever follows.</returns>
    public static bool TryValidate(ReadOnlySpan<byte> text, out int validated)
    {
        int cut = StartOfCutCharacter(text);
        validated = cut;
        return Utf8.IsValid(text[..cut])
            && (cut == text.Length || Rune.DecodeFromUtf8(text[cut..], out _, out _) == OperationStatus.NeedMoreData);
    }

    /// <summary>Where the last character starts if its lead octet promises more octets than there are; else the end.</summary>
    private static int StartOfCutCharacter(ReadOnlySpan<byte> text)
    {
        for (int back = 1; back <= 3 && back <= text.Length; back++)
        {
            byte octet = text[^back];
            if (octet < 0x80)
                return text.Length;
            bool isLead = octet >= 0xC0;
            if (isLead)
            {
                int promised = octet >= 0xF0 ? 4 : octet >= 0xE0 ? 3 : 2;
                return promised > back ? text.Length - back : text.Length;
            }
        }
        return text.Length;
    }
}
