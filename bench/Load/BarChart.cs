using System.Globalization;
using System.Security;
using System.Text;

namespace ChannelServer.Bench;

/// <summary>A horizontal bar chart as SVG: smallest first, the value behind each bar, legible on light and dark pages.</summary>
internal static class BarChart
{
    private const int Width = 720, LabelWidth = 250, BarHeight = 22, Gap = 8, Top = 56;
    private const double ValueWidth = 80;

    public static string Draw(string title, string unit, IEnumerable<(string Label, double Value, bool Ours)> bars)
    {
        (string Label, double Value, bool Ours)[] sorted = [.. bars.Where(static bar => double.IsFinite(bar.Value)).OrderBy(static bar => bar.Value)];
        double scale = (Width - LabelWidth - ValueWidth) / Math.Max(sorted.Select(static bar => bar.Value).DefaultIfEmpty(1).Max(), double.Epsilon);
        int height = Top + (sorted.Length * (BarHeight + Gap)) + Gap;
        StringBuilder svg = new();
        Line(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {height}\" width=\"{Width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">");
        Line(svg, $"  <title>{SecurityElement.Escape(title)}</title>");
        Line(svg, $"  <rect width=\"{Width}\" height=\"{height}\" fill=\"#ffffff\"/>");
        Line(svg, $"  <text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\" fill=\"#1f2328\">{SecurityElement.Escape(title)}</text>");
        Line(svg, $"  <text x=\"12\" y=\"43\" fill=\"#59636e\">{SecurityElement.Escape(unit)}; shorter is better</text>");
        for (int i = 0; i < sorted.Length; i++)
        {
            (string label, double value, bool ours) = sorted[i];
            int y = Top + (i * (BarHeight + Gap));
            Line(svg, $"  <text x=\"{LabelWidth - 8}\" y=\"{y + 16}\" text-anchor=\"end\" fill=\"#1f2328\">{SecurityElement.Escape(label)}</text>");
            Line(svg, $"  <rect x=\"{LabelWidth}\" y=\"{y}\" width=\"{Math.Max(1, value * scale):F1}\" height=\"{BarHeight}\" fill=\"{(ours ? "#0969da" : "#8c959f")}\"/>");
            Line(svg, $"  <text x=\"{LabelWidth + (value * scale) + 6:F1}\" y=\"{y + 16}\" fill=\"#1f2328\">{Figure(value)}</text>");
        }
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>Three digits that count.</summary>
    public static string Figure(double value) => value switch
    {
        double.NaN => "–",
        >= 100 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("F1", CultureInfo.InvariantCulture),
        _ => value.ToString("F2", CultureInfo.InvariantCulture),
    };

    private static void Line(StringBuilder svg, FormattableString line) => svg.Append(FormattableString.Invariant(line)).Append('\n');
}
