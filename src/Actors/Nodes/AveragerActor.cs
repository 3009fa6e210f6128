using System.Diagnostics;
using System.Runtime.InteropServices;
using Akka.Actor;
using Elastic.Actors.Blobs;
using Elastic.Actors.Checkpoints;
using Elastic.Messages;
using Elastic.Messages.Nodes;
using Elastic.Messages.Runs;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Optimizers;
using Elastic.Model.Vectors;

namespace Elastic.Actors.Nodes;

/// <summary>Makes model versions: the first from the seed, each next one chunk by chunk from the contributions.</summary>
internal sealed class AveragerActor : BlobActor
{
    /// <inheritdoc cref="AveragerActor"/>
    public static Props Props() => Akka.Actor.Props.Create(() => new AveragerActor()).WithDispatcher("elastic.device-dispatcher");

    /// <inheritdoc/>
    protected override object Do(NodeRun run, NodeCommand command) => command switch
    {
        NodeCommand.Initialize => Initialize(run),
        NodeCommand.AverageChunks average => new RunCommand.FinishChunks(run.Id, average.Round, [.. average.Chunks.Select(c => Average(run, average, c))]),
        NodeCommand.Assemble assemble => Assemble(run, assemble),
        _ => throw new UnreachableException($"not for the averager: {command}"),
    };

    private static RunCommand.FinishInitialization Initialize(NodeRun run)
    {
        using var vectors = new ReplicaVectors(run.Layout);
        if (run.Settings.Model.Init is { } path)
            CheckpointReader.LoadParameters(path, CheckpointManifest.Read(path), run.Settings.Model, vectors);
        else
            Gpt2Initialization.Fill(vectors, run.Settings.Run.Seed);

        var set = new Dictionary<string, VectorManifest>
        {
            [VectorSet.Parameters] = run.Blobs.PutVector(vectors, VectorKind.Parameters),
        };
        if (run.Settings.Run.Averaging == AveragingMethod.Nesterov)
            set[VectorSet.OuterMomentum] = run.Blobs.PutVector(vectors, VectorKind.FirstMoment);   // zeros
        var version = new VectorSet(set);
        return new RunCommand.FinishInitialization(run.Id, run.Blobs.PutSet(version), version[VectorSet.Parameters].Fingerprint);
    }

    private static AveragedChunk Average(NodeRun run, NodeCommand.AverageChunks order, int chunk)
    {
        if (order.Contributions is [var only] && run.Settings.Run.Averaging == AveragingMethod.Average)
            return new AveragedChunk(chunk, run.Blobs.ReadSet(only)[VectorSet.Parameters].Chunks[chunk], null);     // the mean of one is itself

        var elements = VectorManifest.ElementsOf(run.Layout.Length, chunk);
        var contributions = order.Contributions.Select(ReadOnlyMemory<float> (c) => Read(run.Blobs.ReadSet(c)[VectorSet.Parameters])).ToList();
        var mean = new float[elements];
        Averaging.Mean(contributions, mean);
        if (run.Settings.Run.Averaging == AveragingMethod.Average)
            return new AveragedChunk(chunk, Put(mean), null);

        var before = run.Blobs.ReadSet(order.Version);
        var parameters = Read(before[VectorSet.Parameters]);
        var momentum = Read(before[VectorSet.OuterMomentum]);
        var optimizer = run.Settings.Optimizer;
        Averaging.OuterStep(parameters, mean, momentum, optimizer.OuterLearningRate, optimizer.OuterMomentum);
        return new AveragedChunk(chunk, Put(parameters), Put(momentum));

        float[] Read(VectorManifest vector)
        {
            var values = new float[elements];
            run.Blobs.Read(vector.Chunks[chunk], MemoryMarshal.AsBytes(values.AsSpan()));
            return values;
        }

        Digest Put(float[] values) => run.Blobs.Put(MemoryMarshal.AsBytes(values.AsSpan()));
    }

    private static NodeReport.VersionHeld Assemble(NodeRun run, NodeCommand.Assemble order)
    {
        var set = new Dictionary<string, VectorManifest>
        {
            [VectorSet.Parameters] = new(run.Layout.Length, [.. order.Chunks.Select(c => c.Parameters)]),
        };
        if (run.Settings.Run.Averaging == AveragingMethod.Nesterov)
            set[VectorSet.OuterMomentum] = new(run.Layout.Length, [.. order.Chunks.Select(c => c.OuterMomentum!.Value)]);
        var version = new VectorSet(set);
        if (version.Chunks().FirstOrDefault(c => !run.Blobs.Has(c)) is { Hex: not null } missing)
            throw new BlobLostException(missing, "an averaged chunk is missing");
        return new NodeReport.VersionHeld(run.Node, run.Id, order.Round, run.Blobs.PutSet(version), version[VectorSet.Parameters].Fingerprint);
    }
}
