using System.Diagnostics;
using Akka.Actor;
using Akka.Routing;
using Elastic.Foundation;
using Elastic.Kernels;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Nodes;

/// <summary>Makes model versions: the first from the seed, each next one chunk by chunk from the contributions.</summary>
internal sealed class AveragerActor : BlobActor
{
    /// <inheritdoc cref="AveragerActor"/>
    /// <remarks>Two of them: one reads from the network while the other sums, hashes and writes.</remarks>
    public static Props Props() => Akka.Actor.Props.Create(() => new AveragerActor()).WithDispatcher("elastic.device-dispatcher").WithRouter(new RoundRobinPool(2));

    /// <inheritdoc/>
    protected override async Task<object?> DoAsync(NodeRun run, NodeCommand command)
    {
        switch (command)
        {
            case NodeCommand.Initialize:
                return Initialize(run);
            case NodeCommand.AverageChunks average:
                var contributions = await Task.WhenAll(average.Contributions.Select(c => OpenAsync(run, c)));
                var before = await OpenAsync(run, average.Version);
                var chunks = new AveragedChunk[average.Chunks.Length];
                for (var i = 0; i < chunks.Length; i++)
                    chunks[i] = await AverageAsync(run, average.Chunks[i], contributions, before);
                return new RunCommand.FinishChunks(
                    run.Id, run.Node, average.Round, AveragedChunk.Inputs(average.Version, average.Contributions), chunks);
            case NodeCommand.Assemble assemble:
                return await AssembleAsync(run, assemble);
            default:
                throw new UnreachableException($"not for the averager: {command}");
        }
    }

    private static RunCommand.FinishInitialization Initialize(NodeRun run)
    {
        using var vectors = new ReplicaVectors(run.Layout);
        if (run.Settings.Model.Init is { } path)
            CheckpointReader.LoadParameters(path, CheckpointManifest.Read(path), run.Settings.Model, vectors);
        else
            Initialization.Fill(vectors, run.Settings.Run.Seed);

        var set = new Dictionary<string, VectorManifest>
        {
            [VectorSet.Parameters] = run.Blobs.PutVector(vectors, VectorSet.Parameters),
        };
        if (run.Settings.Run.Averaging == AveragingMethod.Nesterov)
            set[VectorSet.OuterMomentum] = run.Blobs.PutVector(vectors, VectorSet.OuterMomentum);   // zeros
        var version = new VectorSet(set);
        return new RunCommand.FinishInitialization(run.Id, run.Node, run.Blobs.PutSet(version), version[VectorSet.Parameters].Fingerprint);
    }

    // Contributions are summed from memory and not stored: nobody needs a copy of another node's afterwards.
    private static async Task<AveragedChunk> AverageAsync(NodeRun run, int chunk, SetOf[] contributions, SetOf before)
    {
        var elements = VectorManifest.ElementsOf(run.Layout.Length, chunk);
        var isMean = run.Settings.Run.Averaging == AveragingMethod.Average;
        if (contributions is [var only] && isMean)                      // the mean of one is itself
        {
            var own = only.Content[VectorSet.Parameters].Chunks[chunk];
            await run.Fetcher.FetchAsync(run.Blobs, [own], CancellationToken.None);
            return new AveragedChunk(chunk, own, null);
        }

        var vectors = contributions.Select(c => (Vector: c.Content[VectorSet.Parameters], Set: c.Digest)).ToList();
        if (!isMean)
            vectors.AddRange([(before.Content[VectorSet.Parameters], before.Digest), (before.Content[VectorSet.OuterMomentum], before.Digest)]);
        var buffers = vectors.Select(_ => new FloatBuffer(elements)).ToList();
        try
        {
            await Task.WhenAll(vectors.Select((v, i) => run.ReadAsync(v.Vector.Chunks[chunk], buffers[i].Memory, v.Set)));
            return Average(run, chunk, [.. buffers.Take(contributions.Length)], isMean ? [] : [.. buffers.Skip(contributions.Length)]);
        }
        finally
        {
            buffers.ForEach(b => ((IDisposable)b).Dispose());
        }
    }

    // "before": parameters and outer momentum of the version that the round started from; none for a plain mean.
    private static AveragedChunk Average(NodeRun run, int chunk, FloatBuffer[] contributions, FloatBuffer[] before)
    {
        using var mean = new FloatBuffer(contributions[0].Floats.Length);
        Averaging.Mean([.. contributions.Select(c => (ReadOnlyMemory<float>)c.Floats)], mean.Floats.Span);
        if (before is not [var parameters, var momentum])
            return new AveragedChunk(chunk, run.Blobs.Put(mean.GetSpan()), null);
        var optimizer = run.Settings.Optimizer;
        Averaging.OuterStep(parameters.Floats.Span, mean.Floats.Span, momentum.Floats.Span, optimizer.OuterLearningRate, optimizer.OuterMomentum);
        return new AveragedChunk(chunk, run.Blobs.Put(parameters.GetSpan()), run.Blobs.Put(momentum.GetSpan()));
    }

    private static async Task<NodeReport.VersionHeld> AssembleAsync(NodeRun run, NodeCommand.Assemble order)
    {
        var version = VectorSet.Version(run.Layout.Length, order.Chunks);
        await run.Fetcher.FetchAsync(run.Blobs, version.Chunks(), CancellationToken.None);
        return new NodeReport.VersionHeld(run.Node, run.Id, order.Round, run.Blobs.PutSet(version));
    }

    private static async Task<SetOf> OpenAsync(NodeRun run, Digest set)
    {
        if (!run.Blobs.IsSound(set))
            await run.Fetcher.FetchAsync(run.Blobs, [set], CancellationToken.None);
        return new SetOf(set, run.Blobs.ReadSet(set));
    }

    private readonly record struct SetOf(Digest Digest, VectorSet Content);
}
