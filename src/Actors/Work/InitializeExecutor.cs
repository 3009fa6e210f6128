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
internal sealed class InitializeExecutor : WorkExecutor<NodeRun>
{
    public override string Kind => InitializeWork.Kind.Name;

    public override WorkLane Lane => WorkLane.Sums;

    public override async Task<WorkOutcome?> ExecuteAsync(NodeRun run, WorkContent content, DeviceContext? devices)
    {
        var (settings, layout) = (run.Setup.Settings, run.Setup.Layout);
        using var weights = settings.Model.Init is null ? null : StartingPoint.Open(
            await new StoredModels(run.Paths.Models).BringAsync(settings.Model, CancellationToken.None), settings.Run.Seed);
        Invariant.Holds(weights?.Layout.IsSameAs(layout) ?? true, "the weights to start from are of the run's model");
        // A node may have no memory for all of the model, where others compute the rest of it.
        Action<long, Memory<float>> make = weights is not null ? weights.Read
            : (first, into) => Initialization.Fill(layout, settings.Run.Seed, first, into);
        var parameters = run.Blobs.PutMade(0, layout.TrainedLength, make);
        var frozen = run.Blobs.PutFrozen(layout, make);
        var set = new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters };
        if (settings.Run.Averaging == AveragingMethod.Nesterov)
            set[VectorSet.OuterMomentum] = run.Blobs.PutMade(0, layout.TrainedLength, (_, zeros) => zeros.Span.Clear());
        var version = new VectorSet(set, frozen);
        // The files may be replaced while they are read.
        if (weights is not null && await Task.Run(() => weights.Differs(version.Fingerprint)) is { } why)
            throw new ElasticException(why);
        return new Initialized(run.Blobs.PutSet(version), version.Fingerprint, version.Frozen);
    }
}
