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

        using var chunkSum = new ChunkSum(run, chunk, elements);
        var mean = await chunkSum.OfAsync([.. contributions.Select(c => (c.Content[VectorSet.Parameters], c.Digest))]);
        Averaging.Divide(mean.Floats.Span, contributions.Length);
        if (isMean)
            return new AveragedChunk(chunk, run.Blobs.Put(mean.GetSpan()), null);
        string[] names = [VectorSet.Parameters, VectorSet.OuterMomentum];
        var read = await chunkSum.ReadAsync([.. names.Select(name => (before.Content[name], before.Digest))]);
        var (version, momentum) = (read[0], read[1]);
        Averaging.OuterStep(
            version.Floats.Span, mean.Floats.Span, momentum.Floats.Span, settings.Optimizer.OuterLearningRate,
            settings.Optimizer.OuterMomentum);
        return new AveragedChunk(chunk, run.Blobs.Put(version.GetSpan()), run.Blobs.Put(momentum.GetSpan()));
    }

    private static async Task<SetOf> OpenAsync(NodeRun run, Digest set)
    {
        if (!run.Blobs.IsSound(set))
            await run.Fetcher.FetchOwnBytesAsync(set, CancellationToken.None);
        return new SetOf(set, run.Blobs.ReadSet(set));
    }

    private readonly record struct SetOf(Digest Digest, VectorSet Content);
}
