using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>Makes version 0: from weights that the settings name, else from the seed.</summary>
internal sealed class InitializeExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => InitializeWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Sums;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var model = run.Settings.Model;
        var seed = run.Settings.Run.Seed;
        using var vectors = model.Init is null ? new ReplicaVectors(run.Layout) : StartingPoint.Load(
            await new StoredModels(run.Paths.Models).BringAsync(model, CancellationToken.None), seed);
        if (model.Init is null)
            Initialization.Fill(vectors, seed);

        var set = new Dictionary<string, VectorManifest>
        {
            [VectorSet.Parameters] = run.Blobs.PutVector(vectors, VectorSet.Parameters),
        };
        if (run.Settings.Run.Averaging == AveragingMethod.Nesterov)
            set[VectorSet.OuterMomentum] = run.Blobs.PutVector(vectors, VectorSet.OuterMomentum);   // zeros
        var version = new VectorSet(set, run.Blobs.PutFrozen(vectors));
        return new Initialized(run.Blobs.PutSet(version), version.Fingerprint, version.Frozen);
    }
}
