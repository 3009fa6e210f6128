using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Elastic.Foundation;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// By what the GPUs of this machine compute attention, chosen once for each: FlashAttention-2 of libtorch where it can be had and works,
/// else plain operators. The two give other bits: which of them it is belongs to the arithmetic that a run keeps.
/// </summary>
internal static class GpuAttention
{
    /// <summary>What a first try takes, several times over: a library's code on the GPU, and some small tensors.</summary>
    public const long EnoughBytes = 256L << 20;

    // FlashAttention-2 was written for Ampere and what came after it.
    private const int LeastMajor = 8;

    private static readonly ConcurrentDictionary<int, Lazy<(FlashAttention? Flash, string? Why)>> All = new();

    /// <summary>The attention of one more device on a GPU; null where plain operators compute.</summary>
    /// <exception cref="CudaException">The GPU is lost.</exception>
    public static FlashAttention? Of(int gpu) => Find(gpu).Flash;

    /// <summary>Why plain operators compute; null where they do not.</summary>
    public static string? WhyNot(int gpu) => Find(gpu).Why;

    /// <summary>Makes the choice: tries a small forward and backward pass.</summary>
    /// <param name="capability">The GPU's compute capability.</param>
    /// <param name="place">Where its tensors lie.</param>
    /// <param name="open">Opens the functions of libtorch; throws an <see cref="ElasticException"/> where it lacks them.</param>
    /// <param name="freeBytes">Bytes of the GPU's memory that nobody has.</param>
    /// <exception cref="ElasticException">It cannot be tried now.</exception>
    public static (FlashAttention? Flash, string? Why) Choose(
        (int Major, int Minor) capability, Device place, Func<FlashAttention> open, Func<long> freeBytes)
    {
        if (capability.Major < LeastMajor)
            return (null, $"FlashAttention-2 needs compute capability {LeastMajor}.0, and this is {capability.Major}.{capability.Minor}");
        try
        {
            var flash = open();
            Try(flash, place);
            return (flash, null);
        }
        catch (ElasticException e) when (e is not CudaException { IsLost: true } and not CudaException { IsPassing: true })
        {
            return (null, e.Message);
        }
        catch (AttentionException e)
        {
            // libtorch's number does not tell a refusal from want of memory.
            if (freeBytes() is var free && free < EnoughBytes)
                throw new ElasticException(
                    $"attention cannot be tried: {e.Message} ({free >> 20} MiB are free: stop what else uses the GPU)", e);
            return (null, e.Message);
        }
        catch (ExternalException e)
        {
            // Of the GPU and the moment, such as memory that another process has: no choice for good.
            throw new ElasticException($"attention cannot be tried: {e.Message.Split('\n')[0]}", e);
        }
    }

    private static void Try(FlashAttention flash, Device place)
    {
        using var scope = NewDisposeScope();
        var x = ones([1, 2, 16, 16], bfloat16, place);
        using var ends = SequenceEnds.OfPlaces([9], 16, place);
        // A window in two segments.
        foreach (var rule in new[] { new AttentionRule(true), new AttentionRule(true, 3, ends) })
        {
            using var saved = flash.Forward(x, x, x, rule);
            // What went wrong on the GPU comes with the first number that is read.
            _ = flash.Backward(saved, x).Q.to(float32).cpu();
        }
    }

    private static (FlashAttention? Flash, string? Why) Find(int gpu) => All.GetOrAdd(gpu, key => new(() =>
    {
        NativeTorch.Load();
        InitializeDeviceType(DeviceType.CUDA);
        Determinism.Demand();
        var driver = CudaDriver.OfThisMachine;
        return Choose(
            driver.CapabilityOf(key), new Device(DeviceType.CUDA, key),
            () => NativeTorch.FindLoaded(FlashAttention.Library) is var library && library != 0
                ? FlashAttention.Of(library)
                : throw new ElasticException($"{FlashAttention.Library} is not loaded: this libtorch was built without CUDA"),
            () => driver.MemoryOf(key).Free);
    }, LazyThreadSafetyMode.PublicationOnly)).Value;
}
