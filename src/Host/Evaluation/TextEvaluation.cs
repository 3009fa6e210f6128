using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Model.Cpu;
using Elastic.Model.Evaluation;
using Elastic.Model.Networks;
using Elastic.Storage;

namespace Elastic.Host.Commands;

/// <summary>Loss, perplexity and bits per byte of text by the newest checkpoint of a run, source by source.</summary>
internal static class TextEvaluation
{
    private const int SourcesShown = 30;

    private static readonly TimeSpan BetweenReports = TimeSpan.FromSeconds(5);

    /// <summary>Scores the text and writes the numbers; what happens meanwhile goes to <paramref name="notices"/>.</summary>
    /// <param name="stride">Null for disjoint windows.</param>
    /// <exception cref="ElasticException">The run has no checkpoint, or the text cannot be read.</exception>
    public static void Run(
        DataDirectory data, RunName run, IReadOnlyList<string> sources, int? stride, TextWriter output, TextWriter notices, bool asJson,
        CancellationToken cancel)
    {
        var folder = data.ExistingRun(run).Root;
        if (sources.FirstOrDefault(s => !Path.Exists(s)) is { } missing)
            throw new NotFoundException($"--data {missing}: there is no such file or folder");
        using var checkpoint = CheckpointReader.LoadNewest(folder);
        foreach (var passed in checkpoint.Passed)
            notices.WriteLine($"passed over {passed}");
        var context = checkpoint.Settings.Model.Context;
        if (stride > context)
            throw new SettingsException([$"--stride {stride}: use 1 to the model's context, {context}"]);
        // The files' form as the run reads its own; which of them, the command line says.
        var found = CorpusSources.Find(checkpoint.Settings.Corpus with { Sources = sources, Include = [], Exclude = [] });
        if (CorpusSources.AreTokenShards(found.Files))
            throw new ElasticException($"{found.Files[0].Path} holds tokens, and bits per byte are those of text: name files of text");
        var tokenizer = Tokenizer.OpenStored(checkpoint.Manifest.Tokenizer, folder);
        using var device = new CpuDevice(
            new DeviceId("cpu:0"), Architectures.Open(checkpoint.Settings.Model), threads: Environment.ProcessorCount);
        device.Attach(checkpoint.Vectors);
        var scorer = new TextScorer(device, stride ?? context, tokenizer.EndOfText);
        var statistics = new ReadStatistics();
        var (start, reported, tokens) = (Stopwatch.GetTimestamp(), Stopwatch.GetTimestamp(), new List<int>());
        foreach (var document in found.Files.SelectMany(f => DocumentReader.Read(f, statistics)))
        {
            cancel.ThrowIfCancellationRequested();
            tokens.Clear();
            tokenizer.Encode(document.Text, tokens);
            scorer.Add(document.Source, [.. tokens], Encoding.UTF8.GetByteCount(document.Text));
            if (Stopwatch.GetElapsedTime(reported) < BetweenReports)
                continue;
            reported = Stopwatch.GetTimestamp();
            notices.WriteLine(
                $"scored {Units.Bytes(scorer.Sums.Total.Bytes)}, {Units.Count(scorer.Sums.Total.Targets, "token")}, "
                + $"{Units.Count(scorer.Sums.Total.Targets / Stopwatch.GetElapsedTime(start).TotalSeconds)} tokens/s");
        }
        scorer.Complete();
        if (found.PassedOver.ToString() is { Length: > 0 } passedOver)
            notices.WriteLine(passedOver);
        if (statistics.MalformedRecords > 0)
            notices.WriteLine(Units.Many(statistics.MalformedRecords, "record") + " not readable, left out");
        if (scorer.Sums.Total.Targets == 0)
            throw new ElasticException($"--data {string.Join(' ', sources)}: there is no text in it");
        if (asJson)
            output.WriteLine(Json(run, checkpoint, stride ?? context, scorer.Sums).ToJsonString());
        else
            Write(run, checkpoint, stride ?? context, scorer.Sums, output);
    }

    private static void Write(RunName run, LoadedCheckpoint checkpoint, int stride, ScoreSums sums, TextWriter output)
    {
        var context = checkpoint.Settings.Model.Context;
        output.WriteLine(
            $"run {run}   round {checkpoint.Manifest.Version}   {checkpoint.Manifest.Fingerprint[..12]}   windows of {context} tokens, "
            + (stride == context ? "disjoint" : $"{stride} apart"));
        // The largest first: they decide the sum.
        var shown = sums.Names.OrderByDescending(n => sums[n].Targets).ThenBy(n => n, StringComparer.Ordinal).Take(SourcesShown).ToList();
        List<IReadOnlyList<string>> rows = [.. shown.Select(name => Row(name, sums[name]))];
        if (sums.Names.Count > shown.Count)
            rows.Add([$"and {sums.Names.Count - shown.Count} more (--json has all)", "", "", "", "", ""]);
        if (sums.Names.Count > 1)
            rows.Add(Row("all", sums.Total));
        foreach (var line in Table.Lay(["SOURCE", ">TOKENS", ">BYTES", ">NATS/TOKEN", ">PERPLEXITY", ">BITS/BYTE"], rows))
            output.WriteLine(line);
    }

    private static IReadOnlyList<string> Row(string name, ScoreSum sum) =>
    [
        name, sum.Targets.ToString(CultureInfo.InvariantCulture), sum.Bytes.ToString(CultureInfo.InvariantCulture),
        sum.Mean.ToString("0.0000", CultureInfo.InvariantCulture), sum.Perplexity.ToString("0.00", CultureInfo.InvariantCulture),
        sum.BitsPerByte.ToString("0.0000", CultureInfo.InvariantCulture),
    ];

    private static JsonObject Json(RunName run, LoadedCheckpoint checkpoint, int stride, ScoreSums sums)
    {
        var sources = new JsonObject();
        foreach (var name in sums.Names)
            sources[name] = Json(sums[name]);
        return new JsonObject
        {
            ["run"] = run.Value,
            ["round"] = checkpoint.Manifest.Version,
            ["fingerprint"] = checkpoint.Manifest.Fingerprint,
            ["context"] = checkpoint.Settings.Model.Context,
            ["stride"] = stride,
            ["all"] = Json(sums.Total),
            ["sources"] = sources,
        };
    }

    private static JsonObject Json(ScoreSum sum) => new()
    {
        ["nats"] = sum.Nats,
        ["tokens"] = sum.Targets,
        ["bytes"] = sum.Bytes,
        ["lossNats"] = sum.Mean,
        ["perplexity"] = Finite(sum.Perplexity),
        ["bitsPerByte"] = sum.BitsPerByte,
    };

    // JSON has no infinity.
    private static JsonValue? Finite(double number) => double.IsFinite(number) ? JsonValue.Create(number) : null;
}
