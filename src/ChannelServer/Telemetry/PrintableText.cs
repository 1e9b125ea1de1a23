using System.Globalization;
using System.Text;

namespace ChannelServer.Telemetry;

/// <summary>
/// Makes any text safe to show on one line of a terminal: what is not plainly visible (controls, line and paragraph separators,
/// directions and other formats, lone surrogates, private and unassigned characters) becomes an escape, and the length is bounded.
/// </summary>
internal static class PrintableText
{
    /// <summary>The text between quotation marks, as error messages show what they refuse.</summary>
    public static string Quote(string text, int most = 100)
    {
        StringBuilder to = new("\"");
        Append(to, text, most);
        return to.Append('"').ToString();
    }

    /// <summary>Appends at most <paramref name="most"/> UTF-16 units of the text, with quotation marks and backslashes escaped.</summary>
    public static void Append(StringBuilder to, ReadOnlySpan<char> text, int most)
    {
        bool cut = text.Length > most;
        if (cut)
            text = text[..most];
        while (!text.IsEmpty)
        {
            bool sound = Rune.DecodeFromUtf16(text, out Rune rune, out int units) == System.Buffers.OperationStatus.Done;
            if (sound && rune.Value is '"' or '\\')
                to.Append('\\').Append((char)rune.Value);
            else if (sound && IsVisible(rune))
                to.Append(text[..units]);
            else
                foreach (char unit in text[..units])
                    to.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
            text = text[units..];
        }
        if (cut)
            to.Append("...");
    }

    /// <summary>Whether a terminal shows the character as itself and nothing else happens.</summary>
    public static bool IsVisible(Rune rune) => rune.IsAscii
        ? rune.Value is >= 0x20 and < 0x7f
        : Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate
            or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);
}
