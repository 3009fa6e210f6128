using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Elastic.Kernels;
using Elastic.Model.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Model.Networks;

/// <summary>The seed of one inner step's dropout. It does not depend on which device computes the step, nor on when.</summary>
/// <param name="Seed">The run's seed.</param>
/// <param name="Round">The round.</param>
/// <param name="Replica">The replica.</param>
/// <param name="Step">The inner step within the round.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct DropoutSeed(ulong Seed, int Round, int Replica, int Step);

/// <summary>Where in the network a mask applies.</summary>
internal enum DropoutSite
{
    Embedding,
    AttentionWeights,
    AttentionOutput,
    MlpOutput,
}

/// <summary>
/// Dropout (Srivastava et al. 2014) of one micro-batch, by masks of 0 and 1 / (1 - p). A mask is a function of (seed, round, replica, step,
/// micro-batch, layer, site). All threads of the process share libtorch's default generator, which therefore gives no such function.
/// </summary>
internal sealed class DropoutMasks(double probability, DropoutSeed seed, int microBatch)
{
    /// <summary>Masks for one micro-batch, or null where nothing is dropped.</summary>
    public static DropoutMasks? For(double probability, DropoutSeed seed, int microBatch)
        => probability > 0 ? new DropoutMasks(probability, seed, microBatch) : null;

    /// <summary>A mask for one place. On a GPU it is drawn there, by a generator that is seeded for this mask alone.</summary>
    public Tensor Mask(int layer, DropoutSite site, long[] shape, torch.Device device)
    {
        var random = KeyedRandom.Of(
            seed.Seed, (ulong)seed.Round, (ulong)seed.Replica, (ulong)seed.Step, (ulong)microBatch, (ulong)layer, (ulong)site);
        if (device.type == DeviceType.CPU)
        {
            var mask = empty(shape, float32, device);
            Fill(mask, random);
            return mask;
        }
        using var generator = new Generator(random.Word(0), device);
        using var keep = empty(shape, float32, device).bernoulli_(1 - probability, generator);
        return keep / (1 - probability);
    }

    // Two elements per random word: an element is kept where its 32 bits reach the threshold.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe void Fill(Tensor mask, KeyedRandom random)
    {
        var values = Dispatcher.Floats(mask);
        var count = mask.NumberOfElements;
        var threshold = (uint)(probability * uint.MaxValue);
        var kept = (float)(1 / (1 - probability));
        for (long i = 0; i < count; i += 2)
        {
            var word = random.Word((ulong)(i / 2));
            values[i] = (uint)word >= threshold ? kept : 0;
            if (i + 1 < count)
                values[i + 1] = (uint)(word >> 32) >= threshold ? kept : 0;
        }
    }
}
