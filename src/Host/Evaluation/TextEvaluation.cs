using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Evaluation;

/// <summary>Loss, perplexity and bits per byte of text, source by source.</summary>
internal static class TextEvaluation
{
    private const int SourcesShown = 30;
    private const int BarWidth = 12;
    private const double HalfCell = 0.5 / BarWidth;

    /// <summary>Scores the text and writes the numbers.</summary>
    /// <param name="stride">Null for disjoint windows.</param>
    /// <exception cref="ElasticException">The model is none of text that goes on, or the text cannot be read.</exception>
    public static void Run(
        TextModel model, IReadOnlyList<string> sources, int? stride, EvaluationOutput output, CancellationToken cancel)
    {
        if (sources.FirstOrDefault(s => !Path.Exists(s)) is { } missing)
            throw new NotFoundException($"--data {missing}: there is no such file or folder");
        var context = model.Settings.Context;
        if (stride > context)
            throw new SettingsException([$"--stride {stride}: use 1 to the model's context, {context}"]);
        // The files' form as the run reads its own; which of them, the command line says.
        var found = CorpusSources.Find(
            (model.Training?.Corpus ?? CorpusSettings.Defaults) with { Sources = sources, Validation = [], Include = [], Exclude = [] });
        if (CorpusSources.AreTokenShards(found.Files))
            throw new ElasticException($"{found.Files[0].Path} holds tokens, and bits per byte are those of text: name files of text");
        using var opened = model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount);
        var scorer = new TextScorer(opened.Device, stride ?? context, model.Tokenizer.EndOfText);
        var (statistics, tokens) = (new ReadStatistics(), new List<int>());
        foreach (var document in found.Files.SelectMany(f => DocumentReader.Read(f, statistics)))
        {
            cancel.ThrowIfCancellationRequested();
            tokens.Clear();
            model.Tokenizer.Encode(document.Text, tokens);
            scorer.Add(document.Source, [.. tokens], Encoding.UTF8.GetByteCount(document.Text));
            output.Progress(seconds =>
                $"scored {Units.Bytes(scorer.Sums.Total.Bytes)}, {Units.Count(scorer.Sums.Total.Targets, "token")}, "
                + $"{Units.Count(scorer.Sums.Total.Targets / seconds)} tokens/s");
        }
        scorer.Complete();
        if (found.PassedOver.ToString() is { Length: > 0 } passedOver)
            output.Notice(passedOver);
        if (statistics.MalformedRecords > 0)
            output.Notice(Units.Many(statistics.MalformedRecords, "record") + " not readable, left out");
        if (scorer.Sums.Total.Targets == 0)
            throw new ElasticException($"--data {string.Join(' ', sources)}: there is no text in it");
        if (output.AsJson)
            output.Write(Json(model, stride ?? context, scorer.Sums).ToJsonString());
        else
            Write(model, stride ?? context, scorer.Sums, output);
    }

    private static void Write(TextModel model, int stride, ScoreSums sums, EvaluationOutput output)
    {
        var context = model.Settings.Context;
        output.Write(
            $"{ScoredModel.Line(model)}   windows of {context} tokens, " + (stride == context ? "disjoint" : $"{stride} apart"));
        // The largest first: they decide the sum.
        var shown = sums.Names.OrderByDescending(n => sums[n].Targets).ThenBy(n => n, StringComparer.Ordinal).Take(SourcesShown).ToList();
        var most = shown.Max(n => sums[n].BitsPerByte);
        List<IReadOnlyList<string>> rows = [.. shown.Select(name => Row(name, sums[name], most))];
        if (sums.Names.Count > shown.Count)
            rows.Add([$"and {sums.Names.Count - shown.Count} more (--json has all)", "", "", "", "", "", ""]);
        if (sums.Names.Count > 1)
            rows.Add(Row("all", sums.Total, most));
        IReadOnlyList<string> head = ["SOURCE", ">TOKENS", ">BYTES", ">NATS/TOKEN", ">PERPLEXITY", ">BITS/BYTE", ""];
        // Bars compare, and one alone says nothing.
        var columns = shown.Count > 1 ? head.Count : head.Count - 1;
        foreach (var line in Table.Lay([.. head.Take(columns)], [.. rows.Select(r => (IReadOnlyList<string>)[.. r.Take(columns)])]))
            output.Write(line);
    }

    private static IReadOnlyList<string> Row(string name, ScoreSum sum, double mostBits) =>
    [
        name, sum.Targets.ToString(CultureInfo.InvariantCulture), sum.Bytes.ToString(CultureInfo.InvariantCulture),
        sum.Mean.ToString("0.0000", CultureInfo.InvariantCulture), sum.Perplexity.ToString("0.00", CultureInfo.InvariantCulture),
        sum.BitsPerByte.ToString("0.0000", CultureInfo.InvariantCulture), Units.Bar(sum.BitsPerByte / mostBits + HalfCell, BarWidth),
    ];

    private static JsonObject Json(TextModel model, int stride, ScoreSums sums)
    {
        var (json, sources) = (ScoredModel.Json(model), new JsonObject());
        foreach (var name in sums.Names)
            sources[name] = Json(sums[name]);
        json["stride"] = stride;
        json["all"] = Json(sums.Total);
        json["sources"] = sources;
        return json;
    }

    private static JsonObject Json(ScoreSum sum) => new()
    {
        ["nats"] = sum.Nats,
        ["tokens"] = sum.Targets,
        ["bytes"] = sum.Bytes,
        ["lossNats"] = sum.Mean,
        ["perplexity"] = ScoredModel.Finite(sum.Perplexity),
        ["bitsPerByte"] = sum.BitsPerByte,
    };
}
