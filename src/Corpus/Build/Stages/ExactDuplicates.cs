using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build.Stages;

/// <summary>Keeps, of documents with the same text, case and white space aside, the first one in key order.</summary>
public sealed class ExactDuplicates : FirstOfAlike
{
    /// <summary>As manifests name it.</summary>
    public static StageKind Kind { get; } = StageKind.Of<ExactDuplicatesSettings>("exact-duplicates", 1,
        "Keeps the first of documents with the same text, case and white space aside.",
        _ => new ExactDuplicates());

    /// <inheritdoc/>
    protected override string SameOf(Draft draft)
    {
        ArgumentNullException.ThrowIfNull(draft);
        var lower = CodePoints.ToLower(draft.Text);
        draft.Cancel.ThrowIfCancellationRequested();
        return string.Join(' ', Lines.Words(lower));
    }
}

/// <summary>Block <c>exact-duplicates</c>: it has no settings of its own.</summary>
public sealed record ExactDuplicatesSettings : SettingsGroup;
