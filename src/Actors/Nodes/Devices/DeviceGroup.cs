using Elastic.Messages;
using Elastic.Messages.Corpora;
using Elastic.Messages.Settings;
using Elastic.Model.Batches;
using Elastic.Model.Evaluation;
using Elastic.Model.Splits;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>The devices that work on one replica together. Their number changes which one does what, never a bit of the result.</summary>
/// <param name="given">How many devices the work has, with those that only lend these their threads.</param>
internal sealed class DeviceGroup(IReadOnlyList<TrainerThread> devices, int given)
{
    // Of a part of a text that is scored: rows of about the same length in it go through the network together.
    private const int TokensOfAPart = 4 * MicroBatchGroups.EnoughRows;

    /// <summary>The one that computes a stage of a replica whose others are on other nodes.</summary>
    public IDeviceThread First => devices[0];

    /// <summary>True where there is another one than this.</summary>
    public bool HasOthersThan(DeviceId device) => devices.Any(d => d.Id != device);

    /// <summary>How many there are.</summary>
    public int Count => devices.Count;

    /// <summary>How many there are with those that only lend these their threads.</summary>
    public int Given => given;

    /// <summary>How the run's model is split over these devices.</summary>
    public SplitInUse SplitOf(RunSetup setup) => setup.Splits.Over(devices.Count);

    /// <summary>Attaches the devices to this run's model and these vectors.</summary>
    public Task AttachAsync(TrainingSettings settings, ReplicaVectors vectors) =>
        Task.WhenAll(devices.Select(device => device.AttachAsync(settings, vectors)));

    /// <summary>The inner step of these devices.</summary>
    /// <param name="late">When a device that does not end a piece counts as lost; null for the default.</param>
    /// <param name="mirror">See <see cref="TrainingStep.IsUpdating"/>; a device that is alone has no neighbour that could keep one.</param>
    public TrainingStep Step(RunSetup setup, StepDeadlines? late, Func<ReplicaVectors> mirror)
    {
        var split = SplitOf(setup);
        return new TrainingStep(
            devices, split.Devices > 1 ? new LocalCollective(devices) : DeviceBackends.Of(devices[0].Id).OpenCollective(devices),
            setup.Layout, setup.Optimizer, setup.Settings.Optimizer.Clip,
            setup.Precision, late, zero: setup.Sharing.Zero,
            stages: split.Stages, tensor: split.Tensor, chunks: split.Chunks,
            mirror: setup.Settings.Optimizer.MirrorSlices && devices.Count > 1 ? mirror() : null);
    }

    /// <summary>The sum of each row's cross-entropies, nats. Each device scores some of the rows.</summary>
    /// <param name="rows">Rows of a causal model's text.</param>
    /// <param name="fill">Any token.</param>
    /// <param name="late">When a device that does not end a piece counts as lost; null for the default.</param>
    /// <param name="times">Times of the run's pieces.</param>
    public async Task<double[]> ScoreAsync(IReadOnlyList<ScoredRow> rows, int fill, StepDeadlines? late, PieceTimes times)
    {
        var parts = rows.Chunk(Math.Max(1, (rows.Count + devices.Count - 1) / devices.Count)).ToList();
        var deadlines = DeadlinesOf(late, times);
        var nats = await Task.WhenAll(parts.Select(async (part, i) =>
        {
            var scores = new List<double>(part.Length);
            foreach (var rows in PartsOf(part))
                scores.AddRange(await deadlines.RunAsync(
                    devices[i], rows.Sum(SizeOf), d => new RowScorer(d, fill).Nats(rows)));
            return scores;
        }));
        return [.. nats.SelectMany(n => n)];
    }

    /// <summary>Scores of samples, in order.</summary>
    /// <param name="sources">For each sample the sources of its elements, see <see cref="SampleScore.Of"/>.</param>
    /// <param name="late">When a device that does not end a batch counts as lost; null for the default.</param>
    /// <param name="times">Times of the run's pieces.</param>
    /// <param name="tokens">Tokens of a sample.</param>
    /// <param name="stop">Asks to stop after the batches that are under way; what is returned is then incomplete.</param>
    public async Task<IReadOnlyList<SampleScore>> EvaluateAsync(
        IReadOnlyList<MicroBatch> batches, IReadOnlyList<IReadOnlyList<SourceRun>> sources, StepDeadlines? late, PieceTimes times,
        int tokens, CancellationToken stop)
    {
        var deadlines = DeadlinesOf(late, times);
        // The first sample of each batch.
        var firsts = new int[batches.Count];
        for (var i = 1; i < firsts.Length; i++)
            firsts[i] = firsts[i - 1] + batches[i - 1].Rows;
        var scores = new SampleScore[batches.Count][];
        var next = -1;
        await Task.WhenAll(devices.Select(async device =>
        {
            for (int i; !stop.IsCancellationRequested && (i = Interlocked.Increment(ref next)) < batches.Count;)
                scores[i] = await deadlines.RunAsync(device, PieceTimes.ElementsOf(batches[i].Rows, tokens), d => SampleScore.Of(
                    d, batches[i], [.. sources.Skip(firsts[i]).Take(batches[i].Rows)]));
        }));
        return [.. scores.Where(l => l is not null).SelectMany(l => l)];
    }

    private static PieceDeadlines DeadlinesOf(StepDeadlines? late, PieceTimes times) =>
        new("evaluation", late ?? StepDeadlines.Default, TimeProvider.System, times);

    // So many tokens go through the network at once anyway; the more a piece has, the later a device that hangs is found.
    private static IEnumerable<ScoredRow[]> PartsOf(IReadOnlyList<ScoredRow> rows)
    {
        var (part, size) = (new List<ScoredRow>(), 0);
        foreach (var row in rows)
        {
            part.Add(row);
            if ((size += SizeOf(row)) < TokensOfAPart)
                continue;
            yield return [.. part];
            part.Clear();
            size = 0;
        }

        if (part.Count > 0)
            yield return [.. part];
    }

    private static int SizeOf(ScoredRow row) => PieceTimes.ElementsOf(1, row.Tokens.Length);
}
