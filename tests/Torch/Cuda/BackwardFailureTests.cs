using Elastic.Torch.Cuda;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>
/// A backward pass on a thread that has no scope of tensors, as libtorch's own threads for GPUs have none: what is not disposed of there
/// keeps the GPU's memory until the collector of garbage comes.
/// </summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class BackwardFailureTests
{
    [Fact]
    public void A_backward_pass_leaves_no_tensor_on_its_thread()
    {
        NativeTorch.Load();
        FakeFlash.Reset();
        var (kernels, flash) = (FakeGpu.Shared.Kernels(0), FakeFlash.New());
        using var scope = NewDisposeScope();
        var (x, gain) = (ones([6, 8], float32).requires_grad_(true), ones(8, float32).requires_grad_(true));
        var y = KernelOperators.AddBias(kernels, KernelOperators.LayerNorm(kernels, x, gain, gain, 1e-5), gain);
        y = KernelOperators.Gelu(kernels, y, true) + y;
        y = flash.Attend(y.view(1, 1, 6, 8), y.view(1, 1, 6, 8), y.view(1, 1, 6, 8), new AttentionRule(true));
        var sum = y.sum();
        long left = -1;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                sum.backward();
                kernels.Failure.ThrowIfAny();
                flash.Failure.ThrowIfAny();
                left = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.IsBackground = true;
        thread.Start();
        Assert.True(thread.Join(TimeSpan.FromMinutes(1)));
        Assert.Null(failure);
        Assert.Equal((1, 1), FakeFlash.Calls);
        // Less than none: what attention kept since the forward pass, on another thread, is disposed of here.
        Assert.InRange(left, long.MinValue, 0);
        Assert.NotNull(x.grad);
    }
}
