using Elastic.Corpus.Build.Stages;
using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>What a build is made of: sources in the order of their rank, and the stages in their order.</summary>
/// <param name="Sources">Where two documents are alike, the one of the earlier source stays.</param>
/// <param name="Stages">Each one sees what those before it have left.</param>
public sealed record BuildManifest(IReadOnlyList<SourceSettings> Sources, IReadOnlyList<PlannedStage> Stages)
{
    /// <summary>What is left out of the sources as if it had never been in them.</summary>
    public TakeDowns TakeDowns { get; init; } = TakeDowns.None;

    /// <summary>Documents of each source that are read, for a trial; null for all.</summary>
    public long? Limit { get; init; }

    /// <summary>What could not be fetched of sources elsewhere, and what is passed over there: a line each of rejects.txt.</summary>
    public IReadOnlyList<string> Unfetched { get; init; } = [];

    /// <summary>What its stages look at of a record besides the text.</summary>
    public IReadOnlyList<string> Fields =>
        [.. Stages.Select(s => s.Stage).OfType<RecordField>().Select(s => s.Name).Distinct(StringComparer.Ordinal)];

    /// <summary>Which part of the corpus a document belongs to.</summary>
    public Split SplitOf(PieceDocument document)
    {
        ArgumentNullException.ThrowIfNull(document);
        return Sources[RankOf(document.Facts.Source)].SplitOf(document.Lot);
    }

    /// <summary>The number of a source in their order.</summary>
    public int RankOf(string source)
    {
        var rank = 0;
        while (Sources[rank].Name != source)
            rank++;
        return rank;
    }

    /// <summary>
    /// Reads what the stages read besides documents, e.g. evaluation sets; otherwise they do so where their build is first named.
    /// </summary>
    /// <exception cref="ElasticException">A file cannot be read, or holds nothing that a stage can use.</exception>
    public void ReadInputs()
    {
        foreach (var stage in Stages)
            _ = stage.Stage.Inputs;
    }

    /// <summary>The keys of a source.</summary>
    public static SettingsSchema SourceSchema { get; } = new(typeof(SourceSettings));

    /// <summary>Makes a manifest of what a person wrote.</summary>
    /// <param name="sources">The keys of each source.</param>
    /// <param name="stages">The kind and the keys of each stage.</param>
    /// <exception cref="ManifestException">All that is wrong, with the place of each.</exception>
    public static BuildManifest Of(
        IReadOnlyList<IReadOnlyList<SettingText>> sources, IReadOnlyList<(StageKind Kind, IReadOnlyList<SettingText> Values)> stages)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(stages);
        var problems = new List<string>();
        var bound = sources.Select(values => Bind(values, problems)).ToList();
        problems.AddRange(bound.SelectMany((s, i) => s.Problems().Select(p => Placed(p, sources[i]))));
        problems.AddRange(bound.GroupBy(s => s.Name).Where(g => g.Count() > 1)
            .Select(g => $"{g.Count()} sources are called {OneLine.Of(g.Key, 80)}: give each a name of its own"));
        if (bound.Count == 0)
            problems.Add("it names no source: add sources = [ { name = NAME, paths = [FOLDER] } ]");
        if (stages.Count > Decisions.MostStages)
            problems.Add($"it has {stages.Count} stages, and at most {Decisions.MostStages} are taken");
        var planned = stages.Select(stage => stage.Kind.Plan(stage.Values, problems)).ToList();
        problems.AddRange(planned.SelectMany(s => s.Scope.Sources).Where(name => !bound.Exists(s => s.Name == name)).Distinct()
            .Select(name => $"scope.sources names {OneLine.Of(name, 80)}, which is no source: there are "
                + string.Join(", ", bound.Select(s => s.Name))));
        problems.AddRange(Order(bound, planned));
        return problems.Count == 0 ? new BuildManifest(bound, planned) : throw new ManifestException([.. problems.Distinct()]);
    }

    /// <summary>What is wrong with a block, and where it was written.</summary>
    internal static string Placed(string problem, IReadOnlyList<SettingText> values) =>
        values is [{ Where: var where }, ..] ? $"{problem} ({where})" : problem;

    private static IEnumerable<string> Order(List<SourceSettings> sources, List<PlannedStage> stages)
    {
        if (sources.Find(s => s.IsSplit) is { } split && !stages.Exists(s => s.Kind == NearDuplicates.Kind && s.Scope.IsEmpty))
            yield return $"the source {split.Name} keeps a share of its documents from training, and a near-duplicate of one may be "
                + "trained on: add { stage = near-duplicates } without a scope";
        var cutting = stages.FindIndex(s => s.IsCutting);
        if (cutting >= 0 && stages.FindIndex(cutting, s => !s.IsCutting) is var behind and >= 0)
            yield return $"{stages[behind].Kind.Name} comes behind {stages[cutting].Kind.Name}, which cuts texts when all documents are "
                + "known: move it in front";
    }

    internal static SourceSettings Bind(IReadOnlyList<SettingText> values, ICollection<string> problems) =>
        SettingsBinding.Bind<SourceSettings>(
            SourceSchema.Defaults.Concat(values).GroupBy(v => v.Key).ToDictionary(g => g.Key, g => g.Last()), problems);
}
