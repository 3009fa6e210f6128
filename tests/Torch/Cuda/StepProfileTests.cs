using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Networks;
using Elastic.Model.Tests;
using Elastic.Model.Training;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>A step kernel by kernel, on the fake driver, whose clock counts a millisecond for each call of a kernel.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class StepProfileTests : IDisposable
{
    public StepProfileTests() => FakeFlash.Reset();

    public void Dispose()
    {
        Assert.Null(FakeFlash.Wrong);
        FakeFlash.Reset();
    }

    [Fact]
    public void Each_call_of_one_step_is_measured_by_the_GPUs_clock()
    {
        FakeGpu.Shared.Clear();
        DeviceId id = new("cuda:0");
        using var gpus = FakeGpus.Register(1, FakeFlash.New(), new FakeCublasLt());
        var step = ((TorchBackend)DeviceBackends.Of(id)).TimeStep(id, Samples.Tiny(), 1, 2);

        Assert.False(gpus.HasCollectives);
        Assert.Equal(2, step.MicroBatches);
        Assert.True(step.Seconds > 0);
        // In two layers, of two micro-batches.
        foreach (var pass in new[] { "forward", "backward" })
            Assert.Equal(4, Assert.Single(step.Kernels, k => k.Name == $"FlashAttention-2, {pass}").Calls);
        var products = step.Kernels.Where(k => k.Name.StartsWith("product bf16 ", StringComparison.Ordinal)).ToList();
        Assert.All(products, k => Assert.True(k.Operations > 0));
        var ours = step.Kernels.Except(products).Where(k => k.Operations == 0).ToList();
        // Of the parameters that decay, and of the others.
        var adamW = Assert.Single(ours, k => k.Name.StartsWith("adamw_update", StringComparison.Ordinal));
        // In fp32 four are read and three written, and the copy of 16 bits besides, where there is one.
        var length = Architectures.LayoutOf(Samples.Tiny()).TrainedLength;
        Assert.Equal(2, adamW.Calls);
        Assert.Contains(adamW.Bytes, new double[] { 28 * length, 30 * length });
        Assert.All(ours, k => Assert.Equal(k.Calls / 1000.0, k.Seconds, 1e-6));
    }

    [Theory]
    [InlineData("cuda:0#1", "kernels are measured on a whole GPU: use cuda:0")]
    [InlineData("torch:0", "libtorch's CPU has no kernels to measure: name a GPU, e.g. cuda:0")]
    public void Other_devices_are_refused(string device, string why)
    {
        using var gpus = FakeGpus.Register(1);
        Assert.Equal(
            $"{device}: {why}",
            Assert.Throws<ElasticException>(() => DeviceBackends.Of(new DeviceId(device)).TimeStep(new DeviceId(device), 1)).Message);
    }
}
