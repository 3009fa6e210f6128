using System.Text.Json.Nodes;
using Elastic.Messages.Settings;
using Elastic.Storage;

namespace Elastic.Host.Display;

/// <summary>The values that a setting has in a run, one after the other.</summary>
/// <param name="Values">With the round that each is in force from; the first from round 0.</param>
internal sealed record SettingHistory(Setting Setting, IReadOnlyList<(int FromRound, JsonNode? Value)> Values)
{
    /// <summary>The newest value, one that is planned for a later round included.</summary>
    public JsonNode? Newest => Values[^1].Value;

    /// <summary>The round that the newest value is in force from; null where the run was started with it.</summary>
    public int? FromRound => Values.Count > 1 ? Values[^1].FromRound : null;

    /// <summary>The newest value.</summary>
    public string NewestText => Text(Newest);

    /// <summary>The value before the newest; null where the run was started with the newest.</summary>
    public string? BeforeText => Values.Count > 1 ? Text(Values[^2].Value) : null;

    /// <summary>The histories of all settings of a run, in the order of declaration.</summary>
    public static IReadOnlyList<SettingHistory> Of(RunCurve curve)
    {
        // A change may be changed again before its round has begun.
        var stretches = curve.History.GroupBy(h => h.Round)
            .Select(g => (g.Key, Values: SettingsRecord.ValuesOf(g.Last().Settings).ToList())).ToList();
        return [.. stretches[0].Values.Select((v, i) => new SettingHistory(v.Setting, [.. ChangesOf(i)]))];

        IEnumerable<(int, JsonNode?)> ChangesOf(int index)
        {
            string? last = null;
            foreach (var (round, values) in stretches)
            {
                var (setting, value) = values[index];
                var node = value is null ? null : setting.Kind.ToJson(value);
                if (last != Text(node))
                    yield return (round, node);
                last = Text(node);
            }
        }
    }

    /// <summary>True where two runs have the same values in the same rounds.</summary>
    public bool IsAsIn(SettingHistory other) =>
        Values.Select(v => (v.FromRound, Text(v.Value))).SequenceEqual(other.Values.Select(v => (v.FromRound, Text(v.Value))));

    /// <summary>The newest value for people, and where it was changed from which round, and what it was before.</summary>
    public override string ToString() =>
        FromRound is { } round ? $"{NewestText} from round {round}, {BeforeText} before" : NewestText;

    private static string Text(JsonNode? value) => value is null ? "none" : value.ToJsonString();
}
