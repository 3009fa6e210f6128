using Akka.Actor;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Model.Networks;
using Elastic.Model.Optimizers;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes.Devices;

/// <summary>
/// The devices that work on one replica together. An inner step is three exchanges: gradients, their fold by slices, the
/// update by slices. How many devices there are changes who does what, never a bit of the result.
/// </summary>
internal sealed class DeviceGroup(IReadOnlyList<IActorRef> trainers)
{
    // Far beyond any step: it ends a hung driver, not a slow model.
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(30);

    public Task AttachAsync(TrainingSettings settings, ReplicaVectors vectors) =>
        Task.WhenAll(trainers.Select(t => AskAsync<TrainerReply.Done>(t, new TrainerCommand.Attach(settings, vectors))));

    /// <summary>One inner step over M micro-batches.</summary>
    /// <param name="clip">Largest global norm; 0 for none.</param>
    /// <returns>Mean loss of the step, nats per token.</returns>
    public async Task<double> StepAsync(IReadOnlyList<ReadOnlyMemory<int>> microBatches, FlatLayout layout, DropoutSeed seed, AdamWStep adam, double clip)
    {
        var slices = Slice.Split(layout, trainers.Count);

        var accumulated = await Task.WhenAll(trainers.Select((t, i) =>
        {
            var (first, end) = RangeOf(i, microBatches.Count);
            return AskAsync<TrainerReply.Accumulated>(
                t, new TrainerCommand.Accumulate([.. microBatches.Skip(first).Take(end - first)], first, microBatches.Count, seed));
        }));
        var roots = accumulated.SelectMany(a => a.Roots).ToList();

        var folded = await Task.WhenAll(trainers.Select((t, i) => AskAsync<TrainerReply.Folded>(t, new TrainerCommand.Fold(roots, microBatches.Count, slices[i]))));
        var norm = GradientNorm.Fold(folded.SelectMany(f => f.SquareSums));
        if (!double.IsFinite(norm))
            throw new ElasticException($"the gradient's norm became {norm} at inner step {adam.Number}: " +
                                       "use a smaller optimizer.learning-rate or more optimizer.warmup-steps");
        var clipped = adam with { ClipCoefficient = GradientNorm.ClipCoefficient(norm, clip) };

        await Task.WhenAll(trainers.Select((t, i) => AskAsync<TrainerReply.Done>(t, new TrainerCommand.Update(slices[i], clipped))));
        return accumulated.SelectMany(a => a.LossNats).Sum() / microBatches.Count;
    }

    /// <summary>Losses of blocks, one per row, in order.</summary>
    /// <param name="batches">Each (rows, T + 1) tokens.</param>
    /// <param name="stop">Asks to stop after the batches that are under way; what is returned is then incomplete.</param>
    public async Task<double[]> EvaluateAsync(IReadOnlyList<int[]> batches, CancellationToken stop)
    {
        var losses = new double[batches.Count][];
        var next = -1;
        await Task.WhenAll(trainers.Select(async t =>
        {
            for (int i; !stop.IsCancellationRequested && (i = Interlocked.Increment(ref next)) < batches.Count;)
                losses[i] = (await AskAsync<TrainerReply.Evaluated>(t, new TrainerCommand.Evaluate(batches[i]))).LossNats;
        }));
        return [.. losses.Where(l => l is not null).SelectMany(l => l)];
    }

    // Contiguous ranges whose sizes differ by one at most.
    private (int First, int End) RangeOf(int device, int count) =>
        ((int)((long)count * device / trainers.Count), (int)((long)count * (device + 1) / trainers.Count));

    private static Task<T> AskAsync<T>(IActorRef trainer, TrainerCommand command) => trainer.Ask<T>(command, Deadline);
}
