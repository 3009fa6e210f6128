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
        var (parameters, frozen) = run.Setup.Settings.Model.Init is null ? Drawn(run) : await LoadedAsync(run);
        var set = new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters };
        if (run.Setup.Settings.Run.Averaging == AveragingMethod.Nesterov)
            set[VectorSet.OuterMomentum] = run.Blobs.PutMade(0, run.Setup.Layout.TrainedLength, (_, zeros) => zeros.Span.Clear());
        var version = new VectorSet(set, frozen);
        return new Initialized(run.Blobs.PutSet(version), version.Fingerprint, version.Frozen);
    }

    // A node may have no memory for all of the model, where others compute the rest of it.
    private static (VectorManifest Parameters, Digest? Frozen) Drawn(NodeRun run)
    {
        var (layout, seed) = (run.Setup.Layout, run.Setup.Settings.Run.Seed);
        VectorManifest Put(long start, long length) =>
            run.Blobs.PutMade(start, length, (first, elements) => Initialization.Fill(layout, seed, first, elements));
        return (Put(0, layout.TrainedLength), layout.FrozenLength == 0 ? null : run.Blobs.PutSet(new VectorSet(
            new Dictionary<string, VectorManifest>
            {
                [VectorSet.FrozenParameters] = Put(layout.TrainedLength, layout.FrozenLength),
            })));
    }

    private static async Task<(VectorManifest Parameters, Digest? Frozen)> LoadedAsync(NodeRun run)
    {
        var settings = run.Setup.Settings;
        using var vectors = StartingPoint.Load(
            await new StoredModels(run.Paths.Models).BringAsync(settings.Model, CancellationToken.None), settings.Run.Seed);
        return (run.Blobs.PutVector(vectors, VectorSet.Parameters), run.Blobs.PutFrozen(vectors));
    }
}
