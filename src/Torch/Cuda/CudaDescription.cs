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
            var computing = gpus.Where(gpu => GpuKernels.Of(gpu) is not null).ToList();
            return string.Join("; ",
            [
                Of(driver), .. gpus.Select(KernelsOf), .. computing.Select(GpuProducts.Describe), .. computing.Select(AttentionOf),
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

    /// <summary>E.g. "kernels 0123456789ab on GPU 0: 148 of 148 give the CPU's bits".</summary>
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

    private static string AttentionOf(int index) => Of(
        new AttentionCheck(new Device(DeviceType.CUDA, index), 1, 12, 1024, 64), index, GpuAttention.Of(index), GpuAttention.WhyNot(index));

    private static string KernelsOf(int index) => GpuKernels.Of(index) is { } kernels
        ? Of(kernels, new Device(DeviceType.CUDA, index))
        : $"libtorch's plain operators compute all on GPU {index}, products and attention, too: {GpuKernels.WhyNot(index)}";
}
