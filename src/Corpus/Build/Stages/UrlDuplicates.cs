using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>
/// Keeps, of documents from the same address, the first one in key order: crawls fetch a page again and again, and its text changes a
/// little each time (Penedo et al. 2023, "The RefinedWeb Dataset", section 3.3; Soldaini et al. 2024, "Dolma"). A document
/// without an address stays.
/// </summary>
public sealed class UrlDuplicates : FirstOfAlike
{
    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<UrlDuplicatesSettings>("url-duplicates", 1,
        "Keeps the first of documents from the same address.", _ => new UrlDuplicates());

    /// <inheritdoc/>
    public override string Why(Removal removal) => $"document {removal.Match} comes from the same address";

    /// <inheritdoc/>
    protected override string? SameOf(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        return draft.Facts.Url is not { Length: > 0 } url ? null
            // The scheme, the case of the host and the part behind '#' lead to the same page.
            : Uri.TryCreate(url, UriKind.Absolute, out var address) && address.Host.Length > 0
                ? $"{address.Authority.ToLowerInvariant()}{address.PathAndQuery}" : url;
    }
}

/// <summary>Block <c>url-duplicates</c>: it has no settings of its own.</summary>
public sealed record UrlDuplicatesSettings : SettingsGroup;
