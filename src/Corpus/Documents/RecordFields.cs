using Elastic.Messages.Corpora;

namespace Elastic.Corpus;

/// <summary>Which fields or columns of a record are kept besides its text. A '.' leads into a field: "metadata.url".</summary>
/// <param name="Url">With the address at which it was published.</param>
/// <param name="Date">With the time at which it was got or written.</param>
/// <param name="Language">With its language, see <see cref="LanguageCode"/>.</param>
/// <param name="Others">What stages look at.</param>
public sealed record RecordFields(string Url, string Date, string Language, IReadOnlyList<string> Others)
{
    /// <summary>
    /// By these names most publish them. A table without such a column is read; one without another that is named is not.
    /// </summary>
    public const string UsualUrl = "url", UsualDate = "date", UsualLanguage = "language";

    /// <summary>Characters of a value; a longer one counts as none: it is no address, no date and no word.</summary>
    public const int LongestValue = 4096;

    /// <summary>All of them, each once.</summary>
    public IReadOnlyList<string> Names { get; } = [.. new[] { Url, Date, Language }.Concat(Others).Distinct(StringComparer.Ordinal)];

    /// <summary>True for a name that a person wrote down, so that a table must have it.</summary>
    internal bool IsNamed(string name) =>
        (name == Url && Url != UsualUrl) || (name == Date && Date != UsualDate) || (name == Language && Language != UsualLanguage);

    /// <summary>The document with what its record says of it.</summary>
    /// <param name="values">Values by the names of their fields.</param>
    internal Document Of(Document document, IReadOnlyDictionary<string, string> values) => document with
    {
        Url = Value(values, Url) ?? document.Url,
        Date = Value(values, Date) ?? document.Date,
        Language = LanguageCode.Of(Value(values, Language)) ?? document.Language,
        Fields = Others.Count == 0 ? null
            : Others.Where(values.ContainsKey).Distinct(StringComparer.Ordinal).ToDictionary(name => name, name => values[name]),
    };

    private static string? Value(IReadOnlyDictionary<string, string> values, string name) =>
        values.TryGetValue(name, out var value) && value.Length is > 0 and <= LongestValue ? value : null;
}
