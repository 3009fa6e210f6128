using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using Elastic.Kernels;
using Elastic.Model.Native;
using Elastic.Model.Vectors;
using TorchSharp;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace Elastic.Model.Training;

/// <summary>Folds one slice of all devices' subtree roots in tree order, and sums its squares tile by tile.</summary>
internal static unsafe class SliceFold
{
    // Elements folded at once: the roots' pieces and the partial sums stay in the second-level cache.
    private const int Piece = 8192;

    /// <summary>
    /// Writes the sum of <paramref name="roots"/> over [0, <paramref name="microBatches"/>) into the same slice of <paramref name="into"/>,
    /// which may be one of the roots: only the slice's owner reads or writes that slice.
    /// </summary>
    /// <returns>Sum of squares of each tile, in tile order, in double precision.</returns>
    public static double[] Fold(IReadOnlyList<SubtreeRoot> roots, int microBatches, Slice slice, Tensor into)
    {
        if (into.device_type != DeviceType.CPU)
            return FoldOnDevice(roots, microBatches, slice, into);
        var sums = new double[slice.Tiles];
        var target = Dispatcher.Floats(into);
        var sources = roots.Select(r => (r.Node, (nint)Dispatcher.Floats(r.Gradient))).ToList();
        // Walks the tree once, into a program of "load" and "add" over a stack of pieces; every piece then runs the program.
        var program = Program(sources, microBatches);
        var stack = new float[sources.Count + 1][];
        for (var i = 0; i < stack.Length; i++)
            stack[i] = new float[Piece];
        for (var tile = 0; tile < slice.Tiles; tile++)
        {
            var first = slice.First + (long)tile * FlatLayout.Tile;
            for (var at = first; at < first + FlatLayout.Tile; at += Piece)
            {
                var result = new Span<float>(target + at, Piece);
                if (sources.Count > 1)
                    Run(program, stack, at, result);
                else if ((float*)sources[0].Item2 != target)
                    new ReadOnlySpan<float>((float*)sources[0].Item2 + at, Piece).CopyTo(result);
                sums[tile] += SumOfSquares(target + at, Piece);
            }
        }
        return sums;
    }

    // In reverse Polish order: a pointer loads, 0 adds the two topmost.
    private static nint[] Program(List<(TreeNode Node, nint Source)> sources, int microBatches)
        => [.. SumTree.Fold<IEnumerable<nint>>(
            [.. sources.Select(s => (s.Node, (IEnumerable<nint>)[s.Source]))], microBatches, (a, b) => [.. a, .. b, 0])];

    private static void Run(nint[] program, float[][] stack, long at, Span<float> result)
    {
        var depth = 0;
        foreach (var source in program)
        {
            if (source != 0)
            {
                new ReadOnlySpan<float>((float*)source + at, Piece).CopyTo(stack[depth++]);
                continue;
            }
            depth--;
            TensorPrimitives.Add(stack[depth - 1], stack[depth], stack[depth - 1]);
        }
        stack[0].CopyTo(result);
    }

    // Eight sums side by side, whatever the width of the registers, so that the order, and so the bits, are the same on any processor.
    private static double SumOfSquares(float* values, int count)
    {
        var sum = Vector512<double>.Zero;
        for (var i = 0; i < count; i += 8)
        {
            var (low, high) = Vector256.Widen(Vector256.Load(values + i));
            var wide = Vector512.Create(low, high);
            sum += wide * wide;
        }
        return Vector512.Sum(sum);
    }

    // The same order with tensors; first copies pieces from other GPUs to this one.
    private static double[] FoldOnDevice(IReadOnlyList<SubtreeRoot> roots, int microBatches, Slice slice, Tensor into)
    {
        using var scope = NewDisposeScope();
        if (slice.Tiles == 0)
            return [];
        var parts = roots.Select(r => (r.Node, r.Gradient.narrow(0, slice.First, slice.Count).to(into.device))).ToList();
        var sum = SumTree.Fold<Tensor>(parts, microBatches, (a, b) => a + b);
        into.narrow(0, slice.First, slice.Count).copy_(sum);
        return sum.view(slice.Tiles, FlatLayout.Tile).to(float64).pow(2).sum(1).to(CPU).data<double>().ToArray();
    }
}
