using Elastic.Corpus.Build.Stages;

namespace Elastic.Corpus.Build;

/// <summary>The stages that a manifest can name. A new one is a file in <c>Stages</c> and a line here.</summary>
public static class StageKinds
{
    /// <summary>In the order in which they usually stand in a manifest.</summary>
    public static IReadOnlyList<StageKind> All { get; } =
    [
        Mojibake.Kind,
        Clean.Kind,
        Language.Kind,
        RecordField.Kind,
        BoilerplateLines.Kind,
        C4.Kind,
        GopherRepetition.Kind,
        GopherQuality.Kind,
        FineWebQuality.Kind,
        FastText.Kind,
        MaskPersonalData.Kind,
        UrlDuplicates.Kind,
        ExactDuplicates.Kind,
        NearDuplicates.Kind,
        ParagraphDuplicates.Kind,
        Decontaminate.Kind,
    ];

    /// <summary>The kind of that name; null where there is none.</summary>
    public static StageKind? Find(string name) => All.FirstOrDefault(kind => kind.Name == name);
}
