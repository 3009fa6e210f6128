using System.Globalization;
using Elastic.Actors.Work;
using Elastic.Corpus;
using Elastic.Foundation;
using Elastic.Host.Configuration;
using Elastic.Host.Display;
using Elastic.Host.Generation;
using Elastic.Host.Pbm;
using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Training;

namespace Elastic.Host.Evaluation;

/// <summary>
/// The loss on the held-out part of a built corpus, as a run scores its versions while it trains: the same samples, the same batching of
/// the architecture, the same sums. So every architecture has one, and its digits are those that a run from these weights shows at first.
/// </summary>
internal static class HeldOutEvaluation
{
    /// <summary>Scores the held-out samples and writes the numbers.</summary>
    /// <param name="folder">Folder of the corpus.</param>
    /// <param name="kind">How samples are cut; null as the run cuts them, or, for a folder's model, as its architecture reads.</param>
    /// <param name="count">The most samples; null for as many as the run scores.</param>
    /// <exception cref="ElasticException">There is no corpus, or it does not fit the model.</exception>
    public static void Run(
        TextModel model, string folder, SampleKind? kind, int? count, EvaluationOutput output, CancellationToken cancel)
    {
        if (!Directory.Exists(folder))
            throw new NotFoundException($"--held-out {folder}: there is no such folder");
        var corpus = BuiltCorpus.Open(folder);
        if (corpus.Manifest.Tokenizer != model.Tokenizer.Id)
        {
            throw new ElasticException(
                $"--held-out {folder}: the corpus has tokens of {corpus.Manifest.Tokenizer}, and {model.Name} reads those of "
                + $"{model.Tokenizer.Id}: build the corpus with corpus.tokenizer = {model.Tokenizer.Id}");
        }
        var cut = new SampleCut(
            kind ?? model.Training?.Corpus.Samples ?? (model.Settings.ReadsPairs ? SampleKind.Pairs : SampleKind.Blocks),
            model.Training?.SampleTokens ?? model.Settings.Context);
        if (cut.Kind == SampleKind.Pairs != model.Settings.ReadsPairs)
        {
            throw new SettingsException([
                $"--samples {Name(cut.Kind)}: {model.Name} is a {model.Settings.Architecture}, use "
                + (model.Settings.ReadsPairs ? "pairs" : "blocks, packed or documents")]);
        }
        if (cut.CountIn(corpus.HeldOutShards) == 0)
            throw new ElasticException($"--held-out {folder}: the held-out text does not fill one sample of {cut.Context} tokens");
        var blocks = HeldOutSample.Choose(
            new BlockMap(corpus.HeldOutShards, cut), count ?? (model.Training?.Evaluation ?? EvaluationSettings.Defaults).Sequences);
        var score = Score(model, corpus, cut, blocks, output, cancel);
        Write(model, corpus, cut, blocks.Count, score, output);
    }

    private static HeldOutScore Score(
        TextModel model, BuiltCorpus corpus, SampleCut cut, IReadOnlyList<long> blocks, EvaluationOutput output, CancellationToken cancel)
    {
        using var opened = model.Open(new DeviceId("cpu:0"), Environment.ProcessorCount);
        var (samples, sources) = Read(corpus, cut, blocks);
        var batches = model.Architecture.Batching.MicroBatches(
            samples, Math.Max(1, MicroBatchGroups.EnoughRows / cut.Length));
        var scores = new List<SampleScore>();
        foreach (var batch in batches)
        {
            cancel.ThrowIfCancellationRequested();
            scores.AddRange(SampleScore.Of(opened.Device, batch, sources[scores.Count..(scores.Count + batch.Rows)]));
            output.Progress(_ => $"scored {scores.Count} of {Units.Many(blocks.Count, "sample")}");
        }
        return HeldOutScore.Of(scores, corpus);
    }

    private static (List<Sample> Samples, List<IReadOnlyList<SourceRun>> Sources) Read(
        BuiltCorpus corpus, SampleCut cut, IReadOnlyList<long> blocks)
    {
        var (map, samples) = (new BlockMap(corpus.HeldOutShards, cut), new List<Sample>());
        var sources = new List<IReadOnlyList<SourceRun>>();
        // Ascending, so that each shard is opened once.
        foreach (var ofShard in blocks.Select(map.Locate).GroupBy(place => place.Shard))
        {
            var info = corpus.HeldOutShards[ofShard.Key];
            using var shard = TokenShard.Open(corpus.ShardPath(info), info, corpus.Manifest.VocabularySize);
            foreach (var (_, block) in ofShard)
            {
                var elements = new int[cut.Length];
                cut.Read(shard, block, elements);
                samples.Add(new Sample(elements));
                sources.Add(cut.SourcesOf(shard, block));
            }
        }
        return (samples, sources);
    }

    private static void Write(
        TextModel model, BuiltCorpus corpus, SampleCut cut, int samples, HeldOutScore score, EvaluationOutput output)
    {
        if (output.AsJson)
        {
            var json = ScoredModel.Of(model).Json();
            json["corpus"] = corpus.Id.Hex;
            json["cut"] = Name(cut.Kind);
            json["samples"] = samples;
            json["nats"] = score.Sum.Nats;
            json["targets"] = score.Sum.Targets;
            json["lossNats"] = score.Sum.Mean;
            json["perplexity"] = JsonNumber.Finite(score.Sum.Perplexity);
            json["bitsPerByte"] = score.BitsPerByte;
            json["sources"] = score.Sources is { } sources ? RunJson.Sources(sources) : null;
            json["languages"] = score.Languages is { } languages ? RunJson.Sources(languages, "language") : null;
            output.Write(json.ToJsonString());
            return;
        }
        output.Write($"{ScoredModel.Of(model).Line}   corpus {corpus.Id.Short}, held-out {Name(cut.Kind)} of {cut.Context} tokens");
        foreach (var line in Table.Lay(
            [">SAMPLES", ">TARGETS", ">NATS/TARGET", ">PERPLEXITY", ">BITS/BYTE"],
            [[
                $"{samples}", $"{score.Sum.Targets}", Units.Loss(score.Sum.Mean),
                score.Sum.Perplexity.ToString("0.00", CultureInfo.InvariantCulture),
                Units.Loss(score.BitsPerByte),
            ]]))
        {
            output.Write(line);
        }
        foreach (var (what, scores) in new[] { ("SOURCE", score.Sources), ("LANGUAGE", score.Languages) })
        {
            foreach (var line in Lines(what, scores ?? []))
                output.Write(line);
        }
    }

    private static IReadOnlyList<string> Lines(string what, SourceScore[] scores) => scores.Length == 0 ? [] : Table.Lay(
        [what, ">TARGETS", ">NATS/TARGET"],
        [.. scores.OrderByDescending(s => s.Targets).ThenBy(s => s.Source, StringComparer.Ordinal).Select(
            s => (IReadOnlyList<string>)[s.Source, $"{s.Targets}", Units.Loss(s.LossNats)])]);

    private static string Name(SampleKind kind) => kind.ToString().ToLowerInvariant();
}
