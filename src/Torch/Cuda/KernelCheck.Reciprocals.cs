using TorchSharp;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

// What the kernels say of this GPU's own approximation of a reciprocal is true of each number, or it is not true.
internal sealed unsafe partial class KernelCheck
{
    // A GPU tries all 2^30 in milliseconds; the tests' fake one, whose reciprocals are divisions, tries some.
    private const uint OfAll = 1, OfFake = 4096;

    private void CompareReciprocals()
    {
        var differing = zeros(DeviceKernels.ReciprocalThreads, int32, device);
        kernels.Reciprocals((int*)Dispatcher.Data(differing), device.type == DeviceType.CPU ? OfFake : OfAll);
        var count = differing.to(CPU).sum().item<long>();
        _checks++;
        if (count > 0)
            _wrong.Add($"{count} reciprocals");
    }
}
