namespace Elastic.Messages.Corpora;

/// <summary>
/// The language of a document where scores are told apart by it, e.g. "en" (ISO 639-1). It comes out of files, so that what is no short
/// code counts as not known.
/// </summary>
public static class LanguageCode
{
    /// <summary>Characters of a code.</summary>
    public const int Longest = 16;

    /// <summary>What counts for no language, beside what counts for some.</summary>
    public const string Unknown = "unknown";

    /// <summary>The code; null where the text is none.</summary>
    public static string? Of(string? text) =>
        text is { Length: > 0 and <= Longest } && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') ? text : null;
}
