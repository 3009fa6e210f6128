using Elastic.Actors.Nodes;
using Elastic.Coordination;
using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Messages.Work;
using Elastic.Model.Vectors;
using Elastic.Storage;

namespace Elastic.Actors.Work;

/// <summary>Makes version 0: from weights that the settings name, else from the seed.</summary>
internal sealed class InitializeExecutor : WorkExecutor
{
    public override string Kind => InitializeWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Sums;

    public override Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var model = run.Settings.Model;
        using var vectors = model.Init is null ? new ReplicaVectors(run.Layout) : StartingPoint.Load(model);
        if (model.Init is null)
            Initialization.Fill(vectors, run.Settings.Run.Seed);

        var parameters = run.Blobs.PutVector(vectors, VectorSet.Parameters);
        if (StartingPoint.Differs(model, parameters.Fingerprint) is { } why)
            throw new ElasticException(why);
        var set = new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters };
        if (run.Settings.Run.Averaging == AveragingMethod.Nesterov)
            set[VectorSet.OuterMomentum] = run.Blobs.PutVector(vectors, VectorSet.OuterMomentum);   // zeros
        var version = new VectorSet(set);
        return Task.FromResult<WorkOutcome?>(new Initialized(run.Blobs.PutSet(version), version[VectorSet.Parameters].Fingerprint));
    }
}
