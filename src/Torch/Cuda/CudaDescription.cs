using System.Globalization;
using Elastic.Foundation;
using Elastic.Torch.Native;

namespace Elastic.Torch.Cuda;

/// <summary>What people are told about this machine's GPUs and their libraries: by <c>elastic doctor</c>.</summary>
internal static class CudaDescription
{
    /// <summary>Driver, GPUs, who reaches whose memory, NVRTC, NCCL, and what is missing.</summary>
    public static string OfThisMachine()
    {
        try
        {
            return $"{Of(CudaDriver.Load())}; {Kernels()}; {Nccl()}";
        }
        catch (ElasticException e)
        {
            return e.Message;
        }
    }

    /// <summary>E.g. "driver for CUDA 12.8, GPU 0 NVIDIA H100 (capability 9.0) reaches 1, …".</summary>
    public static string Of(CudaDriver driver)
    {
        ArgumentNullException.ThrowIfNull(driver);
        var gpus = Enumerable.Range(0, driver.Count).Select(index =>
        {
            var (major, minor) = driver.CapabilityOf(index);
            var reached = Enumerable.Range(0, driver.Count).Where(other => other != index && driver.CanReach(index, other)).ToList();
            var reach = reached.Count > 0 ? $" reaches {string.Join(", ", reached)}" : driver.Count > 1 ? " reaches no other" : "";
            // bf16 came with 8.0.
            var narrow = major < 8 ? " computes no bf16" : "";
            return string.Create(CultureInfo.InvariantCulture, $"GPU {index} {driver.NameOf(index)} (capability {major}.{minor}){reach}{narrow}");
        });
        var missing = driver.Missing.Count > 0 ? $"; {CudaDriver.Library} lacks {string.Join(", ", driver.Missing)}" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"driver for CUDA {driver.Version / 1000}.{driver.Version % 1000 / 10}, {string.Join("; ", gpus)}{missing}");
    }

    private static string Kernels() => GpuKernels.WhyNot(0) is { } why
        ? $"libtorch's operators compute: {why}"
        : $"kernels {KernelSource.Hash} by NVRTC {GpuKernels.Compiler().Version}";

    private static unsafe string Nccl()
    {
        const string name = "ncclGetVersion";
        if (CudaLibraries.Find(CudaLibraries.Nccl, NativeTorch.Folder) is not var (path, handle))
            return "no NCCL";
        int version;
        var result = ((delegate* unmanaged<int*, int>)new NativeFunctions(path, handle, [name])[name])(&version);
        return result == 0
            ? string.Create(CultureInfo.InvariantCulture, $"NCCL {version / 10000}.{version / 100 % 100}.{version % 100} ({path})")
            : $"NCCL does not tell its version: error {result}";
    }
}
