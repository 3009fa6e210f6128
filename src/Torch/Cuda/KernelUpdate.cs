using Elastic.Kernels.Optimization;
using Elastic.Messages.Settings;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// What a GPU does between a backward pass and the next step, by our kernels: sums its slice of all devices' subtree roots, which it reads
/// where they lie, in tree order; sums its squares by parameter; updates.
/// </summary>
internal sealed unsafe class KernelUpdate(DeviceKernels kernels, FlatLayout layout, Device device)
{
    /// <summary>The kernels.</summary>
    public DeviceKernels Kernels => kernels;

    /// <summary>Sums a slice of the roots into the same slice of <paramref name="into"/>, which may be one of them.</summary>
    /// <param name="roots">Of all devices: GPUs that this one reaches.</param>
    /// <returns>Sums of squares of the slice's tiles, each that of its parameters' in order.</returns>
    public double[] Fold(IReadOnlyList<SubtreeRoot> roots, Slice slice, TorchVector into)
    {
        var at = roots.Select(r => ((nint)At((TorchVector)r.Gradient, slice), r.Node.First)).ToArray();
        kernels.TreeSum(Dispatcher.Floats(into.Flat), at, slice.First, slice.Count);

        var ranges = RangesOf(slice).ToList();
        var firsts = tensor(ranges.Select(r => r.First).ToArray(), int64).to(device);
        var counts = tensor(ranges.Select(r => r.Count).ToArray(), int64).to(device);
        var sums = zeros(ranges.Count, float64, device);
        kernels.SumsOfSquares(
            (double*)Dispatcher.Data(sums), Dispatcher.Floats(into.Flat), (long*)Dispatcher.Data(firsts), (long*)Dispatcher.Data(counts),
            ranges.Count);
        var squares = new double[slice.Tiles];
        var values = sums.to(CPU).data<double>().ToArray();
        for (var i = 0; i < ranges.Count; i++)
            squares[ranges[i].Tile] += values[i];
        return squares;
    }

    /// <summary>The step on elements [first, first + count), whose parameters decay alike, of vectors that this GPU reaches.</summary>
    public void AdamW(
        OptimizerSettings settings, TorchVector parameters, TorchVector firstMoments, TorchVector secondMoments, TorchVector gradient,
        long first, long count, double weightDecay, OptimizerStep step)
        => kernels.AdamW(
            parameters.Data + first, gradient.Data + first, firstMoments.Data + first, secondMoments.Data + first, DeviceMemory.None, count,
            new AdamWStep(
                step.Number, step.LearningRate, settings.Beta1, settings.Beta2, settings.Epsilon, weightDecay, step.ClipCoefficient));

    // A root's element 0: in place, or in a copy of the slice.
    private float* At(TorchVector root, Slice slice) => kernels.Reaches(root.Gpu)
        ? root.Data
        : Dispatcher.Floats(Copy(root.Range(slice.First, slice.Count))) - slice.First;

    private Tensor Copy(Tensor from) => empty(from.shape, float32, device).copy_(from);

    // Of each tile the parts of trained parameters, in their order.
    private IEnumerable<(int Tile, long First, long Count)> RangesOf(Slice slice)
    {
        for (var tile = 0; tile < slice.Tiles; tile++)
        {
            var (first, end) = (slice.First + (long)tile * FlatLayout.Tile, slice.First + (long)(tile + 1) * FlatLayout.Tile);
            for (var i = layout.FirstSegmentAt(first); i < layout.Segments.Count && layout.Segments[i].Offset < end; i++)
            {
                var segment = layout.Segments[i];
                var (low, high) = (Math.Max(first, segment.Offset), Math.Min(end, segment.Offset + segment.Count));
                if (low < high && segment.Parameter.IsTrained)
                    yield return (tile, low, high - low);
            }
        }
    }
}
