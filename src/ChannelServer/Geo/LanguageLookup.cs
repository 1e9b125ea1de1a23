using ChannelServer.Relay;

namespace ChannelServer.Geo;

/// <summary>
/// Chooses among the languages of a name by RFC 4647, 3.4 (lookup), with one addition for the reader's sake: where a range finds
/// neither its own tag nor a shorter one, another variety of the same language does. The databases name Portuguese only
/// <c>pt-BR</c> and Chinese only <c>zh-CN</c>; whoever asks for <c>pt</c>, <c>pt-PT</c> or <c>zh</c> reads those rather than English.
/// </summary>
/// <param name="databaseLanguages">The languages of the database, in its order, which decides what <c>*</c> takes.</param>
/// <param name="defaultLanguage">What is taken when nothing preferred is there (<c>default_lang</c>).</param>
internal sealed class LanguageLookup(IReadOnlyList<string> databaseLanguages, string defaultLanguage)
{
    private const string Any = "*";

    /// <summary>The name in the best language, or null: what the reader excluded is not shown, as a default neither.</summary>
    public string? Choose(Dictionary<string, string> names, LanguagePriorityList languages)
    {
        // By index throughout: the enumerator of a list behind an interface is an allocation, and this runs for every name.
        for (int index = 0; index < languages.Tags.Count; index++)
        {
            string range = languages.Tags[index];
            string? name = range == Any ? ChooseAny(names, languages) : Find(names, range, languages);
            if (name is not null)
                return name;
        }
        bool excludesTheRest = Contains(languages.Excluded, Any) && !Contains(languages.Tags, Any);
        return excludesTheRest ? null : Find(names, defaultLanguage, languages);
    }

    /// <summary>
    /// RFC 4647, 3.4: the wildcard stands for what no other range names. The default language comes first because readers of this
    /// server most likely know it.
    /// </summary>
    private string? ChooseAny(Dictionary<string, string> names, LanguagePriorityList languages)
    {
        if (!IsNamed(defaultLanguage, languages.Tags) && Find(names, defaultLanguage, languages) is { } byDefault)
            return byDefault;
        foreach (string language in databaseLanguages)
        {
            if (!IsNamed(language, languages.Tags) && Exact(names, language, languages) is { } name)
                return name;
        }
        // A database may hold languages that its metadata does not list.
        foreach ((string language, string name) in names)
        {
            if (!IsNamed(language, languages.Tags) && !IsExcluded(language, languages))
                return name;
        }
        return null;
    }

    private static string? Find(Dictionary<string, string> names, ReadOnlySpan<char> range, LanguagePriorityList languages)
    {
        ReadOnlySpan<char> candidate = range;
        while (!candidate.IsEmpty)
        {
            if (Exact(names, candidate, languages) is { } name)
                return name;
            candidate = Shortened(candidate);
        }
        return Variety(names, range, languages);
    }

    /// <summary>
    /// Without its last subtag. RFC 4647 (3.4) would also drop a single letter before it, which introduced what is lost; no
    /// database has a tag that ends so, and the outcome is the same.
    /// </summary>
    private static ReadOnlySpan<char> Shortened(ReadOnlySpan<char> range)
    {
        int hyphen = range.LastIndexOf('-');
        return hyphen < 0 ? default : range[..hyphen];
    }

    private static string? Exact(Dictionary<string, string> names, ReadOnlySpan<char> tag, LanguagePriorityList languages)
    {
        foreach ((string language, string name) in names)
        {
            if (tag.Equals(language, StringComparison.OrdinalIgnoreCase) && !IsExcluded(language, languages))
                return name;
        }
        return null;
    }

    /// <summary>A longer tag that the range begins is nearer than one that only shares the primary language.</summary>
    private static string? Variety(Dictionary<string, string> names, ReadOnlySpan<char> range, LanguagePriorityList languages)
    {
        int hyphen = range.IndexOf('-');
        ReadOnlySpan<char> primary = hyphen < 0 ? range : range[..hyphen];
        string? relative = null;
        foreach ((string language, string name) in names)
        {
            if (!Begins(primary, language) || IsExcluded(language, languages))
                continue;
            if (Begins(range, language))
                return name;
            relative ??= name;
        }
        return relative;
    }

    /// <summary>Whether a range with a quality of zero covers the language and none with a better one covers it more closely.</summary>
    private static bool IsExcluded(string language, LanguagePriorityList languages)
    {
        int closest = 0;
        for (int index = 0; index < languages.Excluded.Count; index++)
        {
            string range = languages.Excluded[index];
            if (Begins(range, language))
                closest = Math.Max(closest, range.Length);
        }
        if (closest == 0)
            return false;
        for (int index = 0; index < languages.Tags.Count; index++)
        {
            string range = languages.Tags[index];
            if (range.Length > closest && Begins(range, language))
                return false;
        }
        return true;
    }

    private static bool IsNamed(string language, IReadOnlyList<string> ranges)
    {
        for (int index = 0; index < ranges.Count; index++)
        {
            if (Begins(ranges[index], language))
                return true;
        }
        return false;
    }

    /// <summary>RFC 4647, 3.3.1 (basic filtering): <c>de</c> begins <c>de</c> and <c>de-CH</c>, but not <c>den</c>.</summary>
    private static bool Begins(ReadOnlySpan<char> range, string language) =>
        language.AsSpan().StartsWith(range, StringComparison.OrdinalIgnoreCase)
        && (language.Length == range.Length || language[range.Length] == '-');

    private static bool Contains(IReadOnlyList<string> ranges, string range)
    {
        for (int index = 0; index < ranges.Count; index++)
        {
            if (ranges[index] == range)
                return true;
        }
        return false;
    }
}
