using System.Text.RegularExpressions;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>Which documents a stage applies to; empty lists mean all.</summary>
public sealed record ScopeSettings : SettingsGroup
{
    [Setting("scope.languages", new string[0], """
        Codes of ISO 639-1: the stage applies to documents in these languages only. A document whose language is not known is in none.
        """)]
    [LanguageCodes]
    public required IReadOnlyList<string> Languages { get; init; }

    [Setting("scope.sources", new string[0], "Names of sources: the stage applies to their documents only.")]
    public required IReadOnlyList<string> Sources { get; init; }

    [Setting("scope.formats", new string[0], "The stage applies to documents of files in these formats only.")]
    [FormatsOfDocuments]
    public required IReadOnlyList<string> Formats { get; init; }

    /// <summary>It applies to all documents.</summary>
    public bool IsEmpty => Languages.Count == 0 && Sources.Count == 0 && Formats.Count == 0;

    /// <summary>True where a stage of this scope applies to the document.</summary>
    public bool Contains(DocumentFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        return (Languages.Count == 0 || (facts.Language is { } language && Languages.Contains(language)))
            && (Sources.Count == 0 || Sources.Contains(facts.Source))
            && (Formats.Count == 0 || Formats.Contains(FormatName(facts.Format)));
    }

    /// <summary>A format's name here: how it is packed does not count.</summary>
    public static string FormatName(DocumentFormat format) => SettingKind.Word(format);
}

/// <summary>A list of formats that documents are of: a stage for any other word would apply to nothing.</summary>
internal sealed class FormatsOfDocumentsAttribute : SettingCheckAttribute
{
    private static readonly string[] Words =
        [.. DocumentFormats.All.Where(kind => kind.IsOfDocuments).Select(kind => ScopeSettings.FormatName(kind.Format))];

    public override bool Allows(object value) => ((IReadOnlyList<string>)value).All(Words.Contains);

    protected override string Use(string kind) => $"some of {string.Join(", ", Words)}";
}

/// <summary>A list of codes of languages: what records say of theirs may have three letters, or a country behind it.</summary>
internal sealed partial class LanguageCodesAttribute : SettingCheckAttribute
{
    public override bool Allows(object value) => ((IReadOnlyList<string>)value).All(text => Code().IsMatch(text));

    protected override string Use(string kind) => "codes of ISO 639, e.g. en";

    [GeneratedRegex(@"\A[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Code();
}
