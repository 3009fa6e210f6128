using System.Text.Json.Nodes;
using Elastic.Host.Display;
using Elastic.Storage;

namespace Elastic.Host.Pbm;

/// <summary>Two runs beside each other: the settings in which they differ, and their losses after the same rounds.</summary>
internal static class RunComparison
{
    // A screen of them; JSON has all.
    private const int MostRows = 20;

    public static IEnumerable<PbmLine> Lines(RunCurve one, RunCurve other)
    {
        var (first, second) = (one.Id.Name.Value, other.Id.Name.Value);
        var settings = Settings(one, other).ToList();
        yield return new PbmLine(null, new JsonObject { ["a"] = first, ["b"] = second });
        yield return new PbmLine(
            settings.Count == 0 ? $"{first} and {second} have the same settings and corpus" : $"where {first} and {second} differ:");
        if (settings.Count > 0)
        {
            var table = Table.Lay(["KEY", first.ToUpperInvariant(), second.ToUpperInvariant(), "WEIGHTS"],
                [.. settings.Select(s => (string[])[s.Key, s.One, s.Other, s.IsOfAnswer ? "others" : "the same"])]);
            yield return new PbmLine(table[0]);
            foreach (var (setting, line) in settings.Zip(table.Skip(1)))
                yield return new PbmLine(line, setting.Json);
        }

        foreach (var (run, key, segment) in one.Changes.Select(s => (first, "a", s)).Concat(other.Changes.Select(s => (second, "b", s))))
            yield return new PbmLine($"{run} changes {RunLines.Segment(segment)}", new JsonObject
            {
                ["changed"] = key,
                ["fromRound"] = segment.FromRound,
                ["changes"] = new JsonArray([.. segment.Changes.Select(c => JsonValue.Create(c))]),
            });
        var points = Paired(one, other).ToList();
        if (points.Count == 0)
        {
            yield return new PbmLine("neither has committed a round yet");
            yield break;
        }

        var shown = Thinned(points);
        var rows = Table.Lay(
            [">ROUND", $">TOKENS {first.ToUpperInvariant()}", ">LOSS", ">VAL", $">TOKENS {second.ToUpperInvariant()}", ">LOSS", ">VAL"],
            [.. shown.Select(p => (string[])[$"{p.Version}", .. Cells(p.One), .. Cells(p.Other)])]);
        yield return new PbmLine(rows[0]);
        foreach (var row in rows.Skip(1))
            yield return new PbmLine(row);
        if (shown.Count < points.Count)
            yield return new PbmLine($"{shown.Count} of {points.Count} rounds; --json has all");
        foreach (var point in points)
            yield return new PbmLine(null, new JsonObject
            {
                ["round"] = point.Version,
                ["a"] = Json(point.One),
                ["b"] = Json(point.Other),
            });
    }

    /// <summary>The settings in which they differ, by what the runs were started with or by what was changed in mid-run.</summary>
    public static IEnumerable<(string Key, string One, string Other, bool IsOfAnswer, JsonObject Json)> Settings(
        RunCurve one, RunCurve other)
    {
        var (first, second) = (one.Corpus.Short, other.Corpus.Short);
        if (one.Corpus != other.Corpus)
            yield return ("corpus", first, second, true, Difference("corpus", first, second, true));
        foreach (var (a, b) in SettingHistory.Of(one).Zip(SettingHistory.Of(other)))
        {
            if (a.IsAsIn(b) || a.Setting.Key == "run.name")
                continue;
            var json = Difference(a.Setting.Key, a.NewestText, b.NewestText, a.Setting.PartOfAnswer);
            (json["aFromRound"], json["aBefore"]) = (a.FromRound, a.BeforeText);
            (json["bFromRound"], json["bBefore"]) = (b.FromRound, b.BeforeText);
            yield return (a.Setting.Key, a.ToString(), b.ToString(), a.Setting.PartOfAnswer, json);
        }
    }

    private static JsonObject Difference(string key, string one, string other, bool isOfAnswer) => new()
    {
        ["key"] = key,
        ["a"] = one,
        ["b"] = other,
        ["partOfAnswer"] = isOfAnswer,
        ["aFromRound"] = null,
        ["aBefore"] = null,
        ["bFromRound"] = null,
        ["bBefore"] = null,
    };

    private static IEnumerable<(int Version, CurvePoint? One, CurvePoint? Other)> Paired(RunCurve one, RunCurve other)
    {
        var (first, second) = (one.Points.ToDictionary(p => p.Version), other.Points.ToDictionary(p => p.Version));
        return first.Keys.Union(second.Keys).Order().Select(v => (v, first.GetValueOrDefault(v), second.GetValueOrDefault(v)));
    }

    // Rounds that both have say most; the rest of a longer run gets what they leave of the screen, and a quarter of it at least.
    private static List<(int Version, CurvePoint? One, CurvePoint? Other)> Thinned(
        List<(int Version, CurvePoint? One, CurvePoint? Other)> points)
    {
        var rest = points.Where(p => p.One is null || p.Other is null).ToList();
        var shared = Spread([.. points.Except(rest)], MostRows - Math.Min(rest.Count, MostRows / 4));
        return [.. shared.Concat(Spread(rest, MostRows - shared.Count)).OrderBy(p => p.Version)];
    }

    // Spread evenly, the first and the last among them; of those in between rather rounds that were scored.
    private static List<(int Version, CurvePoint? One, CurvePoint? Other)> Spread(
        List<(int Version, CurvePoint? One, CurvePoint? Other)> points, int most)
    {
        var scored = points.Where((p, i) => i == points.Count - 1 || p.One?.Score is not null || p.Other?.Score is not null).ToList();
        var from = points.Count <= most || scored.Count < 2 ? points : scored;
        var rows = Math.Min(most, from.Count);
        return [.. Enumerable.Range(0, rows).Select(i => from[rows == 1 ? 0 : (int)((long)i * (from.Count - 1) / (rows - 1))])];
    }

    private static string[] Cells(CurvePoint? point) =>
        [point is null ? "" : Units.Count(point.Tokens), Units.Loss(point?.TrainLossNats), Units.Loss(point?.Score?.LossNats)];

    private static JsonObject? Json(CurvePoint? point) => point is null ? null : new JsonObject
    {
        ["tokens"] = point.Tokens,
        ["trainLoss"] = JsonNumber.Finite(point.TrainLossNats),
        ["valLoss"] = JsonNumber.Finite(point.Score?.LossNats),
        ["bitsPerByte"] = JsonNumber.Finite(point.Score?.BitsPerByte),
    };
}
