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
internal sealed class DeviceGroup(IReadOnlyList<TrainerThread> devices)
{
    /// <summary>True where there is another one than this.</summary>
    public bool HasOthersThan(DeviceId device) => devices.Any(d => d.Id != device);

    /// <summary>How the run's model is split over these devices.</summary>
    public SplitInUse SplitOf(NodeRun run) => run.SplitOver(devices.Count);

    /// <summary>Attaches the devices to this run's model and these vectors.</summary>
    public Task AttachAsync(TrainingSettings settings, ReplicaVectors vectors) =>
        Task.WhenAll(devices.Select(device => device.AttachAsync(settings, vectors)));

    /// <summary>The inner step of these devices.</summary>
    /// <param name="mirror">See <see cref="TrainingStep.IsUpdating"/>; a device that is alone has no neighbour that could keep one.</param>
    public TrainingStep Step(NodeRun run, Func<ReplicaVectors> mirror) => new(
        devices, new LocalCollective(devices), run.Layout, run.Optimizer, run.Settings.Optimizer.Clip, run.Precision,
        run.Faults.Deadlines?.Invoke(), zero: run.Zero,
        stages: SplitOf(run).Stages, tensor: SplitOf(run).Tensor,
        mirror: run.Settings.Optimizer.MirrorSlices && devices.Count > 1 ? mirror() : null);

    /// <summary>The sum of each row's cross-entropies, nats. Each device scores some of the rows.</summary>
    /// <param name="rows">Of a causal model's text.</param>
    /// <param name="fill">Any token.</param>
    public async Task<double[]> ScoreAsync(IReadOnlyList<ScoredRow> rows, int fill)
    {
        var parts = rows.Chunk(Math.Max(1, (rows.Count + devices.Count - 1) / devices.Count)).ToList();
        var nats = await Task.WhenAll(parts.Select((part, i) => devices[i].RunAsync(d => new RowScorer(d, fill).Nats(part))));
        return [.. nats.SelectMany(n => n)];
    }

    /// <summary>Scores of samples, in order.</summary>
    /// <param name="sources">For each sample the sources of its elements, see <see cref="SampleScore.Of"/>.</param>
    /// <param name="stop">Asks to stop after the batches that are under way; what is returned is then incomplete.</param>
    public async Task<IReadOnlyList<SampleScore>> EvaluateAsync(
        IReadOnlyList<MicroBatch> batches, IReadOnlyList<IReadOnlyList<SourceRun>> sources, CancellationToken stop)
    {
        // The first sample of each batch.
        var firsts = new int[batches.Count];
        for (var i = 1; i < firsts.Length; i++)
            firsts[i] = firsts[i - 1] + batches[i - 1].Rows;
        var scores = new SampleScore[batches.Count][];
        var next = -1;
        await Task.WhenAll(devices.Select(async device =>
        {
            for (int i; !stop.IsCancellationRequested && (i = Interlocked.Increment(ref next)) < batches.Count;)
                scores[i] = await device.RunAsync(
                    d => SampleScore.Of(d, batches[i], [.. sources.Skip(firsts[i]).Take(batches[i].Rows)]));
        }));
        return [.. scores.Where(l => l is not null).SelectMany(l => l)];
    }
}
