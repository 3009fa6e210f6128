using Elastic.Actors.Nodes.Replicas;
using Elastic.Messages;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Storage;
using Elastic.Testing;

namespace Elastic.Actors.Tests.Nodes;

public sealed class ReplicaMemoryTests : TemporaryFolder
{
    private static readonly FlatLayout Layout = Architectures.LayoutOf(TinySettings.Of("a").Model);

    // The inner state of a replica in fp16, as RunSetup.InnerVectors has it.
    private static readonly string[] Names = [VectorSet.FirstMoment, VectorSet.SecondMoment, .. Precision.Fp16.Vectors];

    [Fact]
    public void The_loss_scale_travels_with_the_moments_by_result_and_by_hand_over()
    {
        var blobs = new BlobStore(Folder);
        using ReplicaMemory memory = new(Layout, Names, new DeviceId("cpu:0")), other = new(Layout, Names, new DeviceId("cpu:0"));
        var scale = new LossScale(13, 1999, 3);
        scale.Write(memory.Vectors);

        var result = memory.StoreResult(blobs);
        Assert.Equal(VectorSet.LossScaleElements, blobs.ReadSet(result.InnerState, Layout.Length, 0)[VectorSet.LossScale].Elements);
        other.LoadMoments(blobs, result.InnerState);
        Assert.Equal(scale, LossScale.Read(other.Vectors));

        // A replica that has taken no step yet.
        other.LoadMoments(blobs, null);
        Assert.Equal(new LossScale(LossScale.FirstExponent, 0, 0), LossScale.Read(other.Vectors));
        other.LoadMoments(blobs, memory.StoreAll(blobs));
        Assert.Equal(scale, LossScale.Read(other.Vectors));
    }

    [Fact]
    public void Another_loss_scale_is_another_inner_state()
    {
        var blobs = new BlobStore(Folder);
        using ReplicaMemory memory = new(Layout, Names, new DeviceId("cpu:0"));
        var first = memory.StoreResult(blobs);
        memory.Changing();
        new LossScale(LossScale.FirstExponent, 1, 0).Write(memory.Vectors);
        var second = memory.StoreResult(blobs);
        Assert.Equal(first.Contribution, second.Contribution);
        Assert.NotEqual(first.InnerState, second.InnerState);
    }

    [Fact]
    public void Memory_that_a_lost_device_may_still_read_is_left_to_the_garbage_collector()
    {
        ReplicaMemory lost = new(Layout, Names, new DeviceId("cpu:0")), other = new(Layout, Names, new DeviceId("cpu:0"));
        var (kept, freed) = (lost.Vectors.Host(VectorSet.Parameters), other.Vectors.Host(VectorSet.Parameters));
        lost.GoBack(isUpdating: false);
        lost.Dispose();
        other.Dispose();
        Assert.Equal((true, false), (IsThere(kept), IsThere(freed)));
    }

    private static unsafe bool IsThere(HostVector vector) => vector.Data is not null;
}
