using Elastic.Messages;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Splits;
using Elastic.Model.Tests;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// What goes from one GPU to another, and which of the two is lost where it fails: by the fake driver, which looks at copies.
/// </summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class PeerCopyTests
{
    private static readonly ModelSettings Model = Samples.Model(2, 2, 16, 8, 61);

    public PeerCopyTests() => NativeTorch.Load();

    [Fact]
    public async Task A_pipelines_copies_have_a_stream_of_their_own_and_come_after_the_pass_that_they_are_of()
    {
        using var pool = new StagePool(Model, 2, true);
        FakeGpu.Shared.Clear();
        // The pool looks for copies that did not wait, or were not waited for, and bits are compared in StageTests.
        await pool.TrainAsync(Precision.Fp32, _ => (2, 2, 1));
        var calls = FakeGpu.Shared.Calls.ToList();
        var copies = calls.Where(c => c.StartsWith("copy ", StringComparison.Ordinal)).ToList();
        Assert.Equal(2 * StagePool.Steps * StagePool.MicroBatches, copies.Count);
        // With the kernel that the passes which it reads have, each once.
        foreach (var (gpu, kernel) in new[] { (0, "cross_entropy_f32 1"), (1, "embed 0") })
        {
            Assert.Single(copies.Where(c => c.StartsWith($"copy {gpu}#", StringComparison.Ordinal)).Distinct());
            Assert.DoesNotContain(calls, c => c.StartsWith($"tree_sum {gpu}#", StringComparison.Ordinal));
            // Each pass of the other GPU had ended before what it made was read.
            var ends = calls.Index().Where(c => c.Item == kernel).Select(c => calls.IndexOf($"synchronize {1 - gpu}", c.Index)).ToList();
            var reads = calls.Index().Where(c => c.Item.StartsWith($"copy {gpu}#", StringComparison.Ordinal)).Select(c => c.Index).ToList();
            Assert.Equal(ends.Count, reads.Count);
            Assert.All(ends.Zip(reads, (end, read) => (End: end, Read: read)), p => Assert.InRange(p.End, 0, p.Read));
        }
    }

    // As the product has it, and without each of the waits in turn.
    [Fact]
    public unsafe void A_wait_that_is_missing_is_found()
    {
        var (fake, driver) = (FakeGpu.Shared, FakeGpu.Shared.Driver);
        nint other = driver.ContextOf(1), own = driver.ContextOf(0);
        driver.Enter(own);
        nint stream = driver.NewStream(isApart: true), free = driver.NewEvent(hasTime: false), copied = driver.NewEvent(hasTime: false);
        using Tensor from = Filled(3), into = zeros(4), numbers = zeros(4);
        var kernels = fake.Kernels(0);
        Assert.True(kernels.Reaches(1));
        void Copy(bool waits, bool isWaitedFor)
        {
            // Some work of the reader's.
            kernels.TreeSum(Dispatcher.Floats(numbers), [((nint)Dispatcher.Floats(from), 0)], 0, 4);
            driver.Record(free);
            if (waits)
                driver.Wait(stream, free);
            driver.CopyFrom((nint)Dispatcher.Data(from), other, (nint)Dispatcher.Data(into), own, 16, stream);
            driver.Record(copied, stream);
            if (isWaitedFor)
                driver.Wait(0, copied);
        }

        Copy(true, true);
        Assert.Equal([3f, 3, 3, 3], into.data<float>().ToArray());
        driver.Synchronize("the copy", 0);
        Assert.Empty(fake.Faults);
        // The writer does not keep what is read until the reader has ended.
        Copy(true, true);
        from.copy_(Filled(2));
        driver.Synchronize("the copy", 0);
        Assert.Equal(["memory of a copy from another GPU to 0 was written before it was read"], fake.Faults);
        from.copy_(Filled(3));
        Copy(true, false);
        Assert.All(into.data<float>().ToArray(), x => Assert.Equal(float.NaN, x));
        from.copy_(Filled(4));
        driver.Synchronize("the copy", 0);
        Assert.Equal([4f, 4, 4, 4], into.data<float>().ToArray());
        Assert.Equal(["memory of a copy from another GPU to 0 was written before it was read"], fake.Faults);
        Copy(false, true);
        Assert.Equal(["a copy to GPU 0 did not wait for what had begun"], fake.Faults);
        // Nothing that is read is left to tests after this one.
        driver.Synchronize("the copy", 0);
        Tensor Filled(float value) => tensor([value, value, value, value], float32);
    }

    // In a pipeline, and where each has the whole network.
    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 2)]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    public async Task A_GPU_that_is_lost_between_steps_is_named_whoever_reads_its_memory(int lost, int stages)
    {
        using var pool = new StagePool(Model, 2, true);
        var parameters = new StageParameters(Architectures.Open(Model), Architectures.LayoutOf(Model), 2);
        var first = await pool.Devices[0].RunAsync(d => (TorchDevice)d);
        try
        {
            var failure = await Assert.ThrowsAsync<DeviceFailedException>(() => pool.TrainAsync(
                Precision.Fp32, _ => (2, stages, 1), async number =>
                {
                    if (number == 0)
                        return;
                    FakeGpu.Shared.LoseNow(lost);
                    // The other GPU reads the parameters of the home GPU.
                    if (lost == 0)
                        AssertLost(await Record.ExceptionAsync(() => pool.Devices[1].RunAsync(
                            d => d.Use(() => ((TorchDevice)d).ParametersOf([.. parameters.RangesHeldBy(1)])))), lost);
                    // And one reads what the other has made.
                    AssertLost(await Record.ExceptionAsync(() => pool.Devices[1].RunAsync(
                        d => d.Use(() => ((TorchDevice)d).CopyFrom(first, ones(4))))), lost);
                }));
            AssertLost(failure, lost);
        }
        finally
        {
            FakeGpu.Shared.Lose(lost, -1);
        }

        static void AssertLost(Exception? failure, int gpu)
        {
            var lost = Assert.IsType<DeviceFailedException>(failure);
            Assert.Equal((true, new DeviceId($"cuda:{gpu}")), (lost.IsLost, lost.Device));
            Assert.Contains("(CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure)", lost.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_copy_that_fails_leaves_no_memory_that_nobody_has()
    {
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(Model), length => new TorchVector(length, CPU));
        var fails = true;
        using var copies = new VectorCopies(CPU, 1, (_, work) =>
        {
            work();
            if (fails)
                throw new InvalidOperationException("a test");
        });
        _ = vectors[VectorSet.Parameters];
        var before = Held();
        Assert.Throws<InvalidOperationException>(() => copies.Whole(vectors, VectorSet.Parameters));
        Assert.Equal(before, Held());
        fails = false;
        var whole = copies.Whole(vectors, VectorSet.Parameters);
        // One that was there before is made anew in place.
        ((TorchVector)vectors[VectorSet.Parameters]).Touch();
        fails = true;
        Assert.Throws<InvalidOperationException>(() => copies.Whole(vectors, VectorSet.Parameters));
        fails = false;
        Assert.Same(whole, copies.Whole(vectors, VectorSet.Parameters));
        Assert.Equal(before + 1, Held());

        // Of this thread.
        static long Held() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
    }

    [Fact]
    public void A_copy_of_all_parameters_stays_while_they_do_not_change_and_no_longer_than_a_pipelines_next_step()
    {
        using var vectors = new ReplicaVectors(Architectures.LayoutOf(Model), length => new TorchVector(length, CPU));
        var moved = 0;
        using var copies = new VectorCopies(CPU, 1, (_, work) =>
        {
            moved++;
            work();
        });
        var range = Assert.Single(copies.Ranges(vectors, VectorSet.Parameters, [(8, 4)]));
        var whole = copies.Whole(vectors, VectorSet.Parameters);
        Assert.Same(whole, copies.Whole(vectors, VectorSet.Parameters));
        Assert.Equal(2, moved);
        copies.FreeWhole();
        Assert.True(whole.Flat.IsInvalid);
        Assert.Same(range, Assert.Single(copies.Ranges(vectors, VectorSet.Parameters, [(8, 4)])));
        Assert.Equal(2, moved);
    }
}
