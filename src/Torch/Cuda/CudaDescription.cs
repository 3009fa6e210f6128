using System.Globalization;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Cuda.Nccl;
using Elastic.Torch.Cuda.Nvml;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>What people are told about this machine's GPUs and their libraries: by <c>elastic doctor</c>.</summary>
internal static class CudaDescription
{
    /// <summary>Driver, GPUs, who reaches whose memory, NVRTC, cublasLt, attention, NCCL, streams, NVML, and what is missing.</summary>
    public static string OfThisMachine()
    {
        try
        {
            var driver = CudaDriver.OfThisMachine;
            var gpus = Enumerable.Range(0, driver.Count).ToList();
            var computing = gpus.Where(HasKernels).ToList();
            return string.Join("; ",
            [
                Of(driver), .. gpus.Select(gpu => KernelsOf(gpu, DescribeKernels)),
                .. computing.Select(gpu => MeasuredOf("products", gpu, GpuProducts.Describe)),
                .. computing.Select(gpu => MeasuredOf("attention", gpu, DescribeAttention)),
                Of(GpuCollectives.OfThisMachine, driver.Count), Of(TorchStreams.Load()), OfMeters(NvmlLibrary.Find),
            ]);
        }
        catch (Exception e) when (e is ElasticException or ExternalException)
        {
            return e.Message.Split('\n')[0];
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
            return string.Create(
                CultureInfo.InvariantCulture, $"GPU {index} {driver.NameOf(index)} (capability {major}.{minor}){reach}{narrow}");
        });
        var missing = driver.Missing.Count > 0 ? $"; {CudaDriver.Library} lacks {string.Join(", ", driver.Missing)}" : "";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"driver for CUDA {driver.Version / 1000}.{driver.Version % 1000 / 10}, {string.Join("; ", gpus)}{missing}");
    }

    /// <summary>NCCL, and by what several GPUs would compute a replica together.</summary>
    public static string Of(GpuCollectives collectives, int gpus)
    {
        ArgumentNullException.ThrowIfNull(collectives);
        var missing = collectives.Nccl?.Missing is { Count: > 0 } names ? $" lacks {string.Join(", ", names)}" : "";
        var nccl = collectives.Nccl is { } library ? $"NCCL {library.Version} ({library.Path}){missing}" : "no NCCL";
        return gpus > 1 ? $"{nccl}; {collectives.Describe([.. Enumerable.Range(0, gpus)])}" : nccl;
    }

    /// <summary>Whether a GPU can be several devices.</summary>
    public static string Of(TorchStreams streams)
    {
        ArgumentNullException.ThrowIfNull(streams);
        return streams.Problem is { } problem ? $"no logical devices: {problem}" : "logical devices (cuda:0#0, cuda:0#1 …) have streams";
    }

    /// <summary>Whether GPUs are measured: no metrics are no reason not to compute.</summary>
    public static string OfMeters(Func<NvmlLibrary?> find)
    {
        ArgumentNullException.ThrowIfNull(find);
        try
        {
            return find() is { } nvml
                ? $"NVML measures{(nvml.Missing.Count > 0 ? $", and lacks {string.Join(", ", nvml.Missing)}" : "")}"
                : $"no metrics of GPUs: {NvmlLibrary.Library} is not here";
        }
        catch (ElasticException e)
        {
            return $"no metrics of GPUs: {e.Message}";
        }
    }

    /// <summary>E.g. "kernels 0123456789ab on GPU 0: 185 of 185 give the CPU's bits".</summary>
    public static string Of(DeviceKernels kernels, Device device)
    {
        ArgumentNullException.ThrowIfNull(kernels);
        var (checks, wrong) = new KernelCheck(kernels, device).Run();
        var others = wrong.Count > 0 ? $" (not {string.Join(", ", wrong)})" : "";
        return $"kernels {KernelSource.Hash} on GPU {kernels.Gpu}: {checks - wrong.Count} of {checks} give the CPU's bits{others}";
    }

    /// <summary>E.g. "attention on GPU 0 by FlashAttention-2: 20 of 20 results the same, 0.4 ms; by plain operators …".</summary>
    /// <param name="flash">Null for plain operators alone.</param>
    /// <param name="whyNot">Why there is no <paramref name="flash"/>.</param>
    public static string Of(AttentionCheck check, int gpu, FlashAttention? flash, string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(check);
        var by = $"attention on GPU {gpu} by {(flash is null ? $"plain operators ({whyNot})" : "FlashAttention-2")}";
        try
        {
            return $"{by}: {check.Run(flash)}";
        }
        catch (Exception e) when (e is ExternalException or AttentionException)
        {
            return $"{by}, not measured: {e.Message.Split('\n')[0]}";
        }
    }

    /// <summary>
    /// What <paramref name="describe"/> says of a GPU's kernels, or that another process has the GPU or its memory: one busy GPU is no
    /// reason to say nothing of the others.
    /// </summary>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    public static string KernelsOf(int gpu, Func<int, string> describe)
    {
        ArgumentNullException.ThrowIfNull(describe);
        try
        {
            return describe(gpu);
        }
        catch (CudaException e) when (e.IsPassing)
        {
            return $"GPU {gpu} cannot be had now: {e.Message}";
        }
    }

    /// <summary>What <paramref name="describe"/> says of a GPU's products or attention, or why it cannot be tried now.</summary>
    /// <param name="what">"products" or "attention".</param>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    public static string MeasuredOf(string what, int gpu, Func<int, string> describe)
    {
        ArgumentNullException.ThrowIfNull(describe);
        try
        {
            return describe(gpu);
        }
        catch (ElasticException e) when (e is not CudaException { IsLost: true })
        {
            return $"{what} on GPU {gpu}, not measured: {e.Message}";
        }
    }

    private static bool HasKernels(int gpu)
    {
        try
        {
            return GpuKernels.Of(gpu) is not null;
        }
        catch (CudaException e) when (e.IsPassing)
        {
            return false;
        }
    }

    private static string DescribeAttention(int gpu) => Of(
        new AttentionCheck(new Device(DeviceType.CUDA, gpu), 1, 12, 1024, 64), gpu, GpuAttention.Of(gpu), GpuAttention.WhyNot(gpu));

    private static string DescribeKernels(int gpu) => GpuKernels.Of(gpu) is { } kernels
        ? Of(kernels, new Device(DeviceType.CUDA, gpu))
        : $"libtorch's plain operators compute all on GPU {gpu}, products and attention, too: {GpuKernels.WhyNot(gpu)}";
}
