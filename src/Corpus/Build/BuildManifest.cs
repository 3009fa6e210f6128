using Elastic.Foundation;
using Elastic.Messages.Settings;

namespace Elastic.Corpus.Build;

/// <summary>What a build is made of: sources in the order of their rank, and the stages in their order.</summary>
/// <param name="Sources">Where two documents are alike, the one of the earlier source stays.</param>
/// <param name="Stages">Each one sees what those before it have left.</param>
public sealed record BuildManifest(IReadOnlyList<SourceSettings> Sources, IReadOnlyList<PlannedStage> Stages)
{
    /// <summary>The keys of a source.</summary>
    public static SettingsSchema SourceSchema { get; } = new(typeof(SourceSettings));

    /// <summary>Makes a manifest of what a person wrote.</summary>
    /// <param name="sources">The keys of each source.</param>
    /// <param name="stages">The kind and the keys of each stage.</param>
    /// <exception cref="ElasticException">All that is wrong, a line each.</exception>
    public static BuildManifest Of(
        IReadOnlyList<IReadOnlyList<SettingText>> sources, IReadOnlyList<(StageKind Kind, IReadOnlyList<SettingText> Values)> stages)
    {
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentNullException.ThrowIfNull(stages);
        var problems = new List<string>();
        var bound = sources.Select(values => Bind(values, problems)).ToList();
        problems.AddRange(bound.SelectMany(s => s.Problems()));
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
        return problems.Count == 0 ? new BuildManifest(bound, planned) : throw new ElasticException(string.Join('\n', problems.Distinct()));
    }

    private static SourceSettings Bind(IReadOnlyList<SettingText> values, ICollection<string> problems) =>
        SettingsBinding.Bind<SourceSettings>(
            SourceSchema.Defaults.Concat(values).GroupBy(v => v.Key).ToDictionary(g => g.Key, g => g.Last()), problems);
}
