using System.Diagnostics;
using Elastic.Actors.Corpora;
using Elastic.Actors.Nodes.Devices;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Model.Batches;
using Elastic.Model.Networks;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Storage;

namespace Elastic.Actors.Nodes.Replicas;

/// <summary>The inner steps of one replica in one round, start to end. Runs off the mailbox; see <see cref="ReplicaActor"/>.</summary>
internal sealed class ReplicaRun(NodeRun run, NodeCommand.RunReplica order, DeviceGroup devices, ReplicaMemory memory, BlockReader reader)
{
    private readonly TrainingStep _step = devices.Step(run.Layout, run.Optimizer, run.Settings.Optimizer.Clip);
    private readonly TimeSpan _betweenNews = BetweenNews(run.Plan.Replicas);
    private long _told;

    /// <summary>Takes the steps that are left and stores the result.</summary>
    /// <param name="progress">Told of the newest step, now and then and at the end.</param>
    /// <param name="stop">Asks to stop at the next step boundary.</param>
    /// <param name="drop">Nobody waits for it any more: stop without a hand-over.</param>
    /// <returns>A result; a hand-over when it was stopped before the last step; null when it was stopped before its first.</returns>
    public async Task<RunCommand?> RunAsync(Action<NodeReport.StepTaken> progress, CancellationToken stop, CancellationToken drop)
    {
        var first = order.HandOver?.Step ?? 0;
        var lossSum = order.HandOver?.LossSumNats ?? 0;
        var samples = order.HandOver?.Samples ?? Ledger.Empty;
        var next = ReadAsync(first);
        await LoadAsync();
        await devices.AttachAsync(run.Settings, memory.Vectors);

        for (var step = first; step < run.Plan.InnerSteps; step++)
        {
            if (drop.IsCancellationRequested || (stop.IsCancellationRequested && step == first))
                return null;
            if (stop.IsCancellationRequested)
                return new RunCommand.HandOverReplica(run.Id, run.Node, await Task.Run(() => HandOver(step, lossSum, samples), CancellationToken.None));

            var batch = await next;
            if (step + 1 < run.Plan.InnerSteps)
                next = ReadAsync(step + 1);                              // while the devices compute
            var (loss, learningRate) = await StepAsync(step, batch.MicroBatches);
            if (run.Faults.StepPause > TimeSpan.Zero)
                await Task.Delay(run.Faults.StepPause, CancellationToken.None);
            lossSum += loss;
            samples = Ledger.AppendStep(samples, batch.Samples);
            if (step + 1 == run.Plan.InnerSteps || Stopwatch.GetElapsedTime(_told) >= _betweenNews)
            {
                _told = Stopwatch.GetTimestamp();
                progress(new NodeReport.StepTaken(run.Node, run.Id, order.Round, order.Replica, step + 1, loss, learningRate));
            }
        }

        return new RunCommand.FinishReplica(run.Id, run.Node, await Task.Run(() => Result(lossSum, samples), CancellationToken.None));
    }

    /// <summary>How often a replica tells of its steps: a person sees no more, a small model takes a thousand a second, and one supervisor hears all replicas.</summary>
    public static TimeSpan BetweenNews(int replicas) => TimeSpan.FromMilliseconds(Math.Clamp(25 * replicas, 200, 2000));

    private async Task LoadAsync()
    {
        var (parameters, moments) = (order.HandOver?.State ?? order.Version, order.HandOver?.State ?? order.InnerState);
        await run.FetchParametersAsync(parameters);
        if (moments is { } set && !memory.HoldsMoments(set))
            await run.FetchAsync(set);
        await Task.Run(() =>
        {
            memory.LoadParameters(run.Blobs, parameters);
            memory.LoadMoments(run.Blobs, moments);
        });
    }

    private async Task<(double LossNats, double LearningRate)> StepAsync(int step, IReadOnlyList<MicroBatch> microBatches)
    {
        memory.Changing();
        var settings = run.Settings;
        var number = (long)order.Round * run.Plan.InnerSteps + step;                    // of this replica, from 0
        var learningRate = LearningRate.At(number, run.Plan.TotalSteps, settings.Optimizer);
        var seed = new DropoutSeed(settings.Run.Seed, order.Round, order.Replica, step);
        var loss = await _step.RunAsync(microBatches, seed, learningRate, number + 1);
        return double.IsFinite(loss)
            ? (loss, learningRate)
            : throw new ElasticException($"the loss of replica {order.Replica} became {loss} at step {number}: " +
                                         "use a smaller optimizer.learning-rate or more optimizer.warmup-steps");
    }

    private async Task<(IReadOnlyList<MicroBatch> MicroBatches, Digest Samples)> ReadAsync(int step)
    {
        var blocks = run.Schedule.BlocksOf(order.Round, order.Replica, step);
        var tokens = await reader.ReadAsync(blocks, CancellationToken.None);
        var microBatches = run.Architecture.Batching.MicroBatches(Sample.Cut(tokens, blocks.Length), run.Settings.Batch.Micro);
        return (microBatches, SampleDigests.Of(blocks, tokens));
    }

    private ReplicaHandOver HandOver(int step, double lossSum, Digest samples) =>
        new(order.Round, order.Replica, step, memory.StoreAll(run.Blobs), lossSum, samples);

    private ReplicaResult Result(double lossSum, Digest samples)
    {
        run.Faults.Contribution?.Invoke(memory.Vectors);
        return new(
            order.Round, order.Replica, memory.StoreParameters(run.Blobs), memory.StoreMoments(run.Blobs),
            run.Plan.TokensPerReplica, lossSum / run.Plan.InnerSteps, samples);
    }
}
