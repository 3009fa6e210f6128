using Elastic.Torch.Cuda;
using Elastic.Torch.Native;

namespace Elastic.Torch.Tests.Cuda;

/// <summary>What <c>elastic doctor</c> runs on a GPU, on the fake one: it looks at each kernel, in each type.</summary>
[Collection(nameof(KernelDeviceTests))]
public sealed class KernelCheckTests
{
    [Fact]
    public void Each_kernel_gives_the_bits_of_the_CPU_and_none_is_left_out()
    {
        NativeTorch.Load();
        FakeGpu.Shared.Clear();
        var (checks, wrong) = new KernelCheck(FakeGpu.Shared.Kernels(0), TorchSharp.torch.CPU).Run();
        Assert.Empty(wrong);
        Assert.True(checks > 50, $"{checks}");
        Assert.Empty(FakeGpu.Shared.KernelNames.Except(FakeGpu.Shared.Calls.Select(call => call.Split(' ')[0])));
    }
}
