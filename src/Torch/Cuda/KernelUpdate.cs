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

    /// <summary>Sums a slice of the roots into the same slice of <paramref name="into"/>, which may be a piece of one of them.</summary>
    /// <param name="roots">Roots of all devices.</param>
    /// <returns>Sums of squares of the slice's tiles, each that of its parameters' in order.</returns>
    public double[] Fold(IReadOnlyList<SubtreeRoot> roots, Slice slice, TorchVector into)
    {
        foreach (var (_, first, count) in ((PiecedVector)roots[0].Gradient).PartsOf(slice.First, slice.Count))
            Sum(into, roots, r => r.PieceOf(first, count), first, count);
        foreach (var (first, count) in PlainFold.RowsIn(roots, slice))
        {
            using var rows = new TorchVector(first, count, device, kernels.Gpu);
            Sum(rows, roots, r => r.Rows!, first, count);
            into.Range(first, count).AddInPlace(rows.Flat);
        }
        var squares = new double[slice.Tiles];
        var tiles = Enumerable.Range(slice.FirstTile, slice.Tiles)
            .SelectMany(tile => PlainFold.PartsOf(layout, tile).Select(part => (Tile: tile, part.First, part.Count))).ToList();
        foreach (var (sum, (tile, _, _)) in SquaresOf([.. tiles.Select(t => (t.First, t.Count))], into).Zip(tiles))
            squares[tile - slice.FirstTile] += sum;
        return squares;
    }

    /// <summary>What each trained parameter of a tile adds to its sum of squares, in order.</summary>
    public IReadOnlyList<double> SquaresOf(int tile, TorchVector gradient) => SquaresOf([.. PlainFold.PartsOf(layout, tile)], gradient);

    /// <summary>The step on elements [first, first + count), whose parameters decay alike, of vectors that this GPU reaches.</summary>
    /// <param name="copy">Gets these parameters in 16 bits; or none.</param>
    public void AdamW(
        OptimizerSettings settings, TorchVector parameters, TorchVector firstMoments, TorchVector secondMoments, TorchVector gradient,
        DeviceMemory copy, long first, long count, double weightDecay, OptimizerStep step)
        => kernels.AdamW(
            parameters.Data + first, gradient.Data + first, firstMoments.Data + first, secondMoments.Data + first, copy, count,
            new AdamWStep(
                step.Number, step.LearningRate, settings.Beta1, settings.Beta2, settings.Epsilon, weightDecay, step.ClipCoefficient));

    private void Sum(
        TorchVector into, IReadOnlyList<SubtreeRoot> roots, Func<PiecedVector, TorchVector> vector, long first, long count)
    {
        // Copies of what this GPU does not reach are freed when the kernel has begun: what takes their memory comes after it.
        using var scope = NewDisposeScope();
        var at = roots.Select(r => ((nint)At(vector((PiecedVector)r.Gradient), first, count), r.Node.First)).ToArray();
        kernels.TreeSum(into.Data, at, first, count);
    }

    private double[] SquaresOf(List<(long First, long Count)> ranges, TorchVector gradient)
    {
        using var scope = NewDisposeScope();
        var firsts = tensor(ranges.Select(r => r.First - gradient.First).ToArray(), int64).to(device);
        var counts = tensor(ranges.Select(r => r.Count).ToArray(), int64).to(device);
        var sums = zeros(ranges.Count, float64, device);
        kernels.SumsOfSquares(
            (double*)Dispatcher.Data(sums), Dispatcher.Floats(gradient.Flat), (long*)Dispatcher.Data(firsts),
            (long*)Dispatcher.Data(counts), ranges.Count);
        return sums.to(CPU).data<double>().ToArray();
    }

    // Element 0 of a piece of a root: in place, or of a copy of the range.
    private float* At(TorchVector piece, long first, long count) => kernels.Reaches(piece.Gpu)
        ? piece.Data
        : Dispatcher.Floats(empty(count, float32, device).copy_(piece.Range(first, count))) - first;
}
