using Elastic.Corpus.Build;

namespace Elastic.Host.Stages;

/// <summary>The stages that a manifest can name: those of the corpus, and those that need a model.</summary>
internal static class AllStages
{
    /// <summary>The kinds in the order in which they usually stand in a manifest.</summary>
    public static IReadOnlyList<StageKind> Kinds { get; } = [.. StageKinds.All, Perplexity.Kind];

    /// <summary>The kind of that name; null where there is none.</summary>
    public static StageKind? Find(string name) => Kinds.FirstOrDefault(kind => kind.Name == name);
}
