using System.Globalization;
using System.Text.Json.Nodes;
using Elastic.Host.Display;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Evaluation;

/// <summary>The numbers of a scored text: loss, perplexity and bits per byte, source by source and language by language.</summary>
internal sealed class TextReport(ScoredModel model, int stride, TextSums sums)
{
    private const int Shown = 30;
    private const int BarWidth = 12;
    private const double HalfCell = 0.5 / BarWidth;

    /// <summary>The table, a line each.</summary>
    public IEnumerable<string> Lines()
    {
        yield return
            $"{model.Line}   windows of {model.Context} tokens, " + (stride == model.Context ? "disjoint" : $"{stride} apart");
        foreach (var line in Table("SOURCE", sums.Sources))
            yield return line;
        if (sums.Languages is { } languages)
        {
            foreach (var line in Table("LANGUAGE", languages))
                yield return line;
        }
    }

    /// <summary>All numbers, with the sums that they are made of.</summary>
    public JsonObject Json()
    {
        var json = model.Json();
        json["stride"] = stride;
        json["all"] = Json(sums.Total);
        json["sources"] = Json(sums.Sources);
        json["languages"] = sums.Languages is { } languages ? Json(languages) : null;
        return json;
    }

    private static IEnumerable<string> Table(string what, ScoreSums sums)
    {
        // The largest first: they decide the sum.
        var shown = sums.Names.OrderByDescending(n => sums[n].Targets).ThenBy(n => n, StringComparer.Ordinal).Take(Shown).ToList();
        var most = shown.Max(n => sums[n].BitsPerByte);
        List<IReadOnlyList<string>> rows = [.. shown.Select(name => Row(name, sums[name], most))];
        if (sums.Names.Count > shown.Count)
            rows.Add([$"and {sums.Names.Count - shown.Count} more (--json has all)", "", "", "", "", "", ""]);
        if (sums.Names.Count > 1)
            rows.Add(Row("all", sums.Total, most));
        IReadOnlyList<string> head = [what, ">TOKENS", ">BYTES", ">NATS/TOKEN", ">PERPLEXITY", ">BITS/BYTE", ""];
        // Bars compare, and one alone says nothing.
        var columns = shown.Count > 1 ? head.Count : head.Count - 1;
        return Pbm.Table.Lay([.. head.Take(columns)], [.. rows.Select(r => (IReadOnlyList<string>)[.. r.Take(columns)])]);
    }

    private static JsonObject Json(ScoreSums sums)
    {
        var json = new JsonObject();
        foreach (var name in sums.Names)
            json[name] = Json(sums[name]);
        return json;
    }

    private static IReadOnlyList<string> Row(string name, ScoreSum sum, double mostBits) =>
    [
        name, sum.Targets.ToString(CultureInfo.InvariantCulture), sum.Bytes.ToString(CultureInfo.InvariantCulture),
        sum.Mean.ToString("0.0000", CultureInfo.InvariantCulture), sum.Perplexity.ToString("0.00", CultureInfo.InvariantCulture),
        sum.BitsPerByte.ToString("0.0000", CultureInfo.InvariantCulture), Units.Bar(sum.BitsPerByte / mostBits + HalfCell, BarWidth),
    ];

    private static JsonObject Json(ScoreSum sum) => new()
    {
        ["nats"] = sum.Nats,
        ["tokens"] = sum.Targets,
        ["bytes"] = sum.Bytes,
        ["lossNats"] = sum.Mean,
        ["perplexity"] = RunJson.Finite(sum.Perplexity),
        ["bitsPerByte"] = sum.BitsPerByte,
    };
}
