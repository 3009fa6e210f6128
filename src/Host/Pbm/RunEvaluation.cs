using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Elastic.Actors.Control;
using Elastic.Foundation;
using Elastic.Host.Evaluation;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Model.Evaluation;

namespace Elastic.Host.Pbm;

/// <summary>
/// Scores text with the newest checkpoint of a run on the nodes of the cluster: <c>elastic eval --data</c>, by all of them.
/// </summary>
internal static class RunEvaluation
{
    /// <summary>Lines of progress, then the numbers.</summary>
    /// <param name="files">Paths of this machine.</param>
    /// <param name="stride">Null for disjoint windows.</param>
    public static async IAsyncEnumerable<PbmLine> RunAsync(
        IClusterControl control, RunName run, IReadOnlyList<string> files, int? stride, Origin origin,
        [EnumeratorCancellation] CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var (placing, fetched) = Said.Begin(4, progress => control.CheckpointAsync(run, progress, stop.Token), default);
        await foreach (var line in Said.OrEnd(placing, fetched, stop))
            yield return Progress(line);
        using var checkpoint = await placing;
        foreach (var line in checkpoint.PassedOver)
            yield return new PbmLine(line, new JsonObject { ["run"] = run.Value, ["notice"] = line });
        var model = checkpoint.Settings.Model;
        if (model.IsMasked || model.ReadsPairs)
            throw new ElasticException(
                $"run {run} is of a {model.Architecture}, which does not go on with a text: its scores are those of its held-out part, "
                + $"which pbm run status -n {run} shows");
        var text = new EvaluatedText("--data", files, checkpoint.Settings.Corpus, checkpoint.Chat, model.Context, stride);
        var (scoring, said) = Said.Begin(64, progress => ScoreAsync(control, checkpoint, text, origin, progress, stop.Token), cancel);
        try
        {
            await foreach (var line in said)
                yield return Progress(line);
        }
        finally
        {
            await stop.CancelAsync();
            await ((Task)scoring).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        var report = new TextReport(ScoredModel.Of(checkpoint), text.Stride, text.Checked(await scoring));
        foreach (var notice in text.Notices())
            yield return new PbmLine(notice, new JsonObject { ["run"] = run.Value, ["notice"] = notice });
        yield return new PbmLine(null, report.Json());
        foreach (var line in report.Lines())
            yield return new PbmLine(line);

        PbmLine Progress(string line) => new(line, new JsonObject { ["run"] = run.Value, ["progress"] = line });
    }

    // Sums are merged in the order of the text, whichever node scored what.
    private static async Task<TextSums> ScoreAsync(
        IClusterControl control, EvaluatedCheckpoint checkpoint, EvaluatedText text, Origin origin, IProgress<string> said,
        CancellationToken cancel)
    {
        var (sums, under) = (new TextSums(), new Queue<IReadOnlyList<TextRow>>());
        var pieces = ScoredPiece.Cut(text.Rows(checkpoint.Tokenizer, cancel), row => row.Row).Select(piece =>
        {
            under.Enqueue(piece);
            return (IReadOnlyList<ScoredRow>)[.. piece.Select(row => row.Row)];
        });
        await foreach (var nats in control.ScoreAsync(checkpoint, pieces, origin, said, cancel).WithCancellation(cancel))
        {
            foreach (var (row, score) in under.Dequeue().Zip(nats))
                sums.Merge(row, score);
        }
        return sums;
    }
}
