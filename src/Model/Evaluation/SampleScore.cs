using Elastic.Messages.Corpora;
using Elastic.Model.Batches;
using Elastic.Model.Training;

namespace Elastic.Model.Evaluation;

/// <summary>The score of one sample, and what of it belongs to which source and language.</summary>
/// <param name="Sum">Sum over all targets, from the first to the last.</param>
/// <param name="Sources">Scores of the targets of each piece of the sample that has any; none where sources are not known.</param>
public sealed record SampleScore(ScoreSum Sum, IReadOnlyList<(string Source, string? Language, ScoreSum Sum)> Sources)
{
    /// <summary>Scores the samples of a micro-batch.</summary>
    /// <param name="sources">For each of them the sources of its elements; none where they are not known.</param>
    public static SampleScore[] Of(TrainingDevice device, MicroBatch batch, IReadOnlyList<IReadOnlyList<SourceRun>> sources)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(sources);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sources.Count, batch.Rows);
        var (losses, first) = (device.Losses(batch), device.Architecture.Batching.FirstTarget(batch.Columns));
        return [.. sources.Select((runs, row) => Of(batch, losses, row, first, runs))];
    }

    private static SampleScore Of(MicroBatch batch, double[] losses, int row, int first, IReadOnlyList<SourceRun> runs)
    {
        var (places, pieces, end) = (batch.Columns, new List<(string, string?, ScoreSum)>(), -first);
        foreach (var run in runs)
        {
            var start = Math.Max(0, end);
            end += run.Elements;
            if (SumOf(batch, losses, row * places + start, row * places + Math.Clamp(end, start, places)) is { Targets: > 0 } sum)
                pieces.Add((run.Source, run.Language, sum));
        }
        return new SampleScore(SumOf(batch, losses, row * places, (row + 1) * places), pieces);
    }

    private static ScoreSum SumOf(MicroBatch batch, double[] losses, int from, int to)
    {
        var sum = new ScoreSum(0, 0);
        for (var i = from; i < to; i++)
        {
            if (batch.Targets[i] != MicroBatch.NotCounted)
                sum += new ScoreSum(losses[i], 1);
        }
        return sum;
    }
}
