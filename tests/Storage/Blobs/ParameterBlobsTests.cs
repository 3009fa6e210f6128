using Elastic.Foundation;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;
using Elastic.Testing;

namespace Elastic.Storage.Tests;

public sealed class ParameterBlobsTests : TemporaryFolder
{
    private static readonly FlatLayout Adapted = Architectures.LayoutOf(TinySettings.Of("a").Model with
    {
        Lora = TinySettings.Of("a").Model.Lora with { Rank = 2 },
    });

    [Fact]
    public void Parameters_are_copied_and_moved_with_the_frozen_ones_and_without_the_outer_momentum()
    {
        var run = new BlobStore(Path.Combine(Folder, "run"));
        using var vectors = new ReplicaVectors(Adapted);
        var floats = vectors.Floats(VectorSet.Parameters, 0, (int)Adapted.Length);
        for (var i = 0; i < floats.Length; i++)
            floats[i] = i;
        var parameters = run.PutVector(vectors, VectorSet.Parameters);
        var momentum = new VectorManifest(parameters.Elements, [run.Put([1, 2, 3])]);
        var version = run.PutSet(new VectorSet(
            new Dictionary<string, VectorManifest> { [VectorSet.Parameters] = parameters, [VectorSet.OuterMomentum] = momentum },
            run.PutFrozen(vectors.Layout, (first, into) => vectors.CopyTo(VectorSet.Parameters, first, into.Span))));
        var all = run.ParameterBlobsOf(version).ToHashSet();
        Assert.Equal(version, run.ParameterBlobsOf(version).First());
        Assert.Equal([.. run.BlobsOf(version).Except(momentum.Chunks), version], all);

        var copy = new BlobStore(Path.Combine(Folder, "copy"));
        Assert.True(copy.CopyParameters(version, blob => run.Has(blob) ? run.Read(blob) : null));
        Assert.Equal(all, Has("copy"));

        var moved = new BlobStore(Path.Combine(Folder, "moved"));
        copy.MoveParameters(version, moved);
        Assert.Empty(Has("copy"));
        Assert.Equal(all, Has("moved"));
        Assert.All(all, blob => Assert.True(moved.IsIntact(blob)));

        // What is not there is not copied, nor what has changed.
        var lost = parameters.Chunks[0];
        Assert.False(copy.CopyParameters(version, blob => blob == lost ? null : run.Read(blob)));
        Assert.False(copy.CopyParameters(version, blob => blob == lost ? [1] : run.Read(blob)));
        Assert.False(copy.Has(lost));
    }

    private HashSet<Digest> Has(string store) =>
    [
        .. Directory.EnumerateFiles(Path.Combine(Folder, store), "*", SearchOption.AllDirectories)
            .Select(f => new Digest(Path.GetFileName(f))),
    ];
}
