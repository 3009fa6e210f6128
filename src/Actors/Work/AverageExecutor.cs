using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>Makes chunks of the next version from the contributions.</summary>
internal sealed class AverageExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => AverageWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Sums;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var average = (Average)content;
        var settings = run.SetupIn(average.Changes).Settings;
        var contributions = await Task.WhenAll(average.Contributions.Select(c => OpenAsync(run, c)));
        var before = await OpenAsync(run, average.Version);
        var chunks = new AveragedChunk[average.Chunks.Length];
        for (var i = 0; i < chunks.Length; i++)
            chunks[i] = await AverageAsync(run, settings, average.Chunks[i], contributions, before);
        return new Averaged(average.Round, AveragedChunk.Inputs(average.Version, average.Contributions), chunks);
    }

    // Sums contributions in memory and does not store them: afterwards no node needs a copy of another node's contribution.
    private static async Task<AveragedChunk> AverageAsync(
        NodeRun run, TrainingSettings settings, int chunk, SetOf[] contributions, SetOf before)
    {
        var elements = VectorManifest.ElementsOf(run.Setup.Layout.TrainedLength, chunk);
        var isMean = settings.Run.Averaging == AveragingMethod.Average;
        if (contributions is [var only] && isMean)                      // the mean of one contribution is itself
        {
            var own = only.Content[VectorSet.Parameters].Chunks[chunk];
            await run.Fetcher.FetchAsync([own], CancellationToken.None);
            return new AveragedChunk(chunk, own, null);
        }

        var vectors = contributions.Select(c => (Vector: c.Content[VectorSet.Parameters], Set: c.Digest)).ToList();
        if (!isMean)
            vectors.AddRange(
                [(before.Content[VectorSet.Parameters], before.Digest), (before.Content[VectorSet.OuterMomentum], before.Digest)]);
        var buffers = vectors.Select(_ => new FloatBuffer(elements)).ToList();
        try
        {
            var received = await Task.WhenAll(vectors.Select(
                (v, i) => run.Fetcher.ReadAsync(v.Vector.Chunks[chunk], buffers[i].Memory, v.Set, CancellationToken.None)));
            NodeMeters.Averaged(run.Id, received.Sum());
            return Sum(
                run.Blobs, settings.Optimizer, chunk, [.. buffers.Take(contributions.Length)],
                isMean ? [] : [.. buffers.Skip(contributions.Length)]);
        }
        finally
        {
            buffers.ForEach(b => ((IDisposable)b).Dispose());
        }
    }

    // "before": parameters and outer momentum of the version that the round started from; empty for a plain mean.
    private static AveragedChunk Sum(
        BlobStore blobs, OptimizerSettings optimizer, int chunk, FloatBuffer[] contributions, FloatBuffer[] before)
    {
        using var mean = new FloatBuffer(contributions[0].Floats.Length);
        Averaging.Mean([.. contributions.Select(c => (ReadOnlyMemory<float>)c.Floats)], mean.Floats.Span);
        if (before is not [var parameters, var momentum])
            return new AveragedChunk(chunk, blobs.Put(mean.GetSpan()), null);
        Averaging.OuterStep(
            parameters.Floats.Span, mean.Floats.Span, momentum.Floats.Span, optimizer.OuterLearningRate, optimizer.OuterMomentum);
        return new AveragedChunk(chunk, blobs.Put(parameters.GetSpan()), blobs.Put(momentum.GetSpan()));
    }

    private static async Task<SetOf> OpenAsync(NodeRun run, Digest set)
    {
        if (!run.Blobs.IsSound(set))
            await run.Fetcher.FetchAsync([set], CancellationToken.None);
        return new SetOf(set, run.Blobs.ReadSet(set));
    }

    private readonly record struct SetOf(Digest Digest, VectorSet Content);
}
