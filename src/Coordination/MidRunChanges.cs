using Elastic.Messages.Settings;

namespace Elastic.Coordination;

/// <summary>
/// What a start is told whose settings are others than those of the run's start: those that the run has since, and how it gets others in
/// mid-run. The start itself changes none of them, because it may be given again at any time.
/// </summary>
internal static class MidRunChanges
{
    /// <summary>The differences, each with the value that the key has since where it was changed in mid-run.</summary>
    /// <param name="differences">See <see cref="SettingsDifference.Between"/>.</param>
    /// <param name="old">What the run was started with.</param>
    public static IEnumerable<string> Beside(IEnumerable<string> differences, RunState run, TrainingSettings old)
    {
        var since = Between(old, SettingsInForce.Newest(run)).ToDictionary(c => c.Setting.Key, c => c.Text, StringComparer.Ordinal);
        return differences.Select(line => since.TryGetValue(line[..line.IndexOf(':', StringComparison.Ordinal)], out var text)
            ? $"{line}, and {text} since a change in mid-run" : line);
    }

    /// <summary>
    /// How the run gets these settings in mid-run; null where it has them, one of them cannot change, or no round is left to begin with.
    /// </summary>
    /// <param name="asked">With the length that the run was started with.</param>
    public static string? Remedy(RunState run, TrainingSettings asked)
    {
        var newest = SettingsInForce.Newest(run);
        var changes = Between(newest, asked with { Run = asked.Run with { Rounds = newest.Run.Rounds, Epochs = newest.Run.Epochs } })
            .ToList();
        if (changes.Count == 0 || changes.Exists(c => !c.Setting.Has<MayChangeAttribute>()))
            return null;
        var from = Math.Max(
            Math.Min(run.FarthestRound + 1, RunPlan.EndOf(run).Rounds), run.Changes is [.., var last] ? last.FromRound : 0);
        if (from >= RunPlan.Of(run).Rounds
            || (newest.Corpus.Order == CorpusOrder.Stream && changes.Exists(c => c.Setting.Key == "corpus.mixture")))
            return null;
        return $"to change {string.Join(" and ", changes.Select(c => c.Setting.Key))} from round {from} on: pbm run set -n {run.Name}"
            + string.Concat(changes.Select(c => $" -k {c.Setting.Key} -v {Quoted(c.Text)}"))
            + (run.Changes.IsEmpty ? "" : $" -r {from}") + ", or elastic train --changes FILE with "
            + string.Join(" and ", changes.Select(c => $"the line \"{from} {c.Setting.Key}={c.Text}\""));
    }

    // Those that decide the answer, with the new value as people write it.
    private static IEnumerable<(Setting Setting, string Text)> Between(TrainingSettings old, TrainingSettings @new) =>
        SettingsRecord.ValuesOf(old).Zip(SettingsRecord.ValuesOf(@new), (a, b) => (a.Setting, Old: Text(a), New: Text(b)))
            .Where(c => c.Setting.PartOfAnswer && c.Old != c.New).Select(c => (c.Setting, c.New));

    // A word needs no quotation marks.
    private static string Text((Setting Setting, object? Value) value) => value.Value is null ? "null"
        : value.Setting.Kind.ToJson(value.Value).ToJsonString() is var json && json.StartsWith('"') ? json.Trim('"') : json;

    private static string Quoted(string text) => text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '+') ? text : $"'{text}'";
}
