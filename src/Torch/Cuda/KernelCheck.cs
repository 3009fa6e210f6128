using Elastic.Kernels;
using Elastic.Kernels.Optimization;
using Elastic.Torch.Native;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda;

/// <summary>
/// Runs our kernels on a GPU with made-up numbers, and compares each one's bits with those of <c>Kernels</c> on the CPU: in a second it
/// says whether this GPU, its driver and its compiler compute what is written.
/// </summary>
internal sealed unsafe class KernelCheck(DeviceKernels kernels, Device device)
{
    private const int Rows = 96, Columns = 200, Count = Rows * Columns, PartRows = 32;

    private readonly List<string> _wrong = [];
    private readonly float[] _x = Numbers(1), _y = Numbers(2), _zeros = new float[Count];
    private int _checks;

    /// <summary>How many comparisons there were, and the names of those that found other bits.</summary>
    public (int Checks, IReadOnlyList<string> Wrong) Run()
    {
        using var scope = NewDisposeScope();
        Compare(
            "GELU", [_x, _zeros], p => kernels.Activate(ActivationKind.GeluTanh, p[1], p[0], Count),
            p => Activations.Forward<GeluTanh>(p[1], p[0], Count));
        Compare(
            "GELU's gradient by erf", [_x, _y, _zeros], p => kernels.ActivateBackward(ActivationKind.GeluErf, p[2], p[1], p[0], Count),
            p => Activations.Backward<GeluErf>(p[2], p[1], p[0], Count));
        Compare(
            "dropout", [_x, _y, _zeros], p => kernels.Dropout(p[2], p[0], p[1], 12345, 7, Count, DropoutRate.Of(0.3)),
            p => Dropout.Apply(p[2], p[0], p[1], 12345, 7, Count, DropoutRate.Of(0.3)));
        var step = new AdamWStep(3, 1e-3, 0.9, 0.95, 1e-8, 0.1, 0.5);
        Compare(
            "AdamW", [_x, _y, _zeros, _zeros], p => kernels.AdamW(p[0], p[1], p[2], p[3], DeviceMemory.None, Count, step),
            p => AdamWUpdate.Run(p[0], p[1], p[2], p[3], Count, step));
        Compare(
            "layer norm", [_x, _y, _zeros, _zeros[..Rows], _zeros[..Rows]],
            p => kernels.LayerNormForward(p[2], null, p[0], DeviceMemory.None, p[1], p[1] + Columns, p[3], p[4], Rows, Columns, 1e-5f),
            p => LayerNorm.Forward(p[2], Columns, p[0], Columns, p[1], p[1] + Columns, p[3], p[4], Rows, Columns, 1e-5f));
        Compare(
            "layer norm's gradients", [_x, _y, _zeros, [.. _x.Take(Rows)], [.. _y.Take(Rows)], _zeros[..(2 * Columns)]],
            p => NormBackward(p),
            p =>
            {
                LayerNorm.Backward(p[2], Columns, p[1], Columns, p[0], Columns, p[1], p[3], p[4], Rows, Columns, false);
                NormGradients.Add(
                    p[5], p[5] + Columns, p[1], Columns, p[0], Columns, p[3], p[4], PartRows, Rows / PartRows, Columns, true);
            });
        Compare(
            "column sums", [_x, _zeros[..Columns], _zeros], p => kernels.ColumnSums(p[1], p[2], p[0], Rows, PartRows, Columns),
            p =>
            {
                ColumnSums.Add(p[1], p[0], Columns, PartRows, (long)PartRows * Columns, Rows / PartRows, Columns, false);
                // What the GPU leaves in its memory for the parts: a sum of each.
                for (var part = 0; part < Rows / PartRows; part++)
                    ColumnSums.Add(p[2] + part * Columns, p[0] + part * PartRows * Columns, Columns, PartRows, 0, 1, Columns, false);
            });
        Compare(
            "a sum along the tree", [_x, _y, _zeros],
            p => kernels.TreeSum(p[2], [((nint)p[0], 0), ((nint)p[1], 4), ((nint)p[0], 6)], 0, Count),
            p =>
            {
                Ranges.Add(p[2], p[1], p[0], Count);
                Ranges.Add(p[2], p[0], p[2], Count);
            });
        CompareLosses();
        return (_checks, _wrong);
    }

    private void NormBackward(Vectors p)
    {
        var sums = zeros(2L * Columns * (Rows / PartRows), float32, device);
        kernels.NormBackward(new NormBackward
        {
            Dx = p[2],
            Dy = p[1],
            X = p[0],
            Gain = p[1],
            Means = p[3],
            Inverses = p[4],
            Rows = Rows,
            Columns = Columns,
            GainGradient = p[5],
            BiasGradient = p[5] + Columns,
            Sums = Dispatcher.Floats(sums),
            PartRows = PartRows,
        });
    }

    private static float[] Numbers(ulong key) => [.. Enumerable.Range(0, Count).Select(
        i => (float)(6 * new KeyedRandom(key).Uniform((ulong)i) - 3))];

    private void CompareLosses()
    {
        int[] targets = [.. Enumerable.Range(0, Rows).Select(i => i * 2)];
        double[] ours = new double[Rows], theirs = new double[Rows];
        var at = tensor(targets, int32).to(device);
        var losses = zeros(Rows, float64, device);
        Compare(
            "cross-entropy", [_x],
            p => kernels.CrossEntropyRows(
                p[0], Columns, Rows, Columns, Columns, Columns, (int*)Dispatcher.Data(at), null, 0.1, 3, true,
                (double*)Dispatcher.Data(losses)),
            p =>
            {
                fixed (int* t = targets)
                fixed (double* l = theirs)
                    CrossEntropy.Rows(p[0], Columns, Rows, Columns, Columns, Columns, t, null, 0.1, 3, l);
            });
        losses.to(CPU).data<double>().CopyTo(ours);
        _checks++;
        if (!ours.AsSpan().SequenceEqual(theirs))
            _wrong.Add("losses");
    }

    // The same vectors here and there.
    private void Compare(string name, float[][] vectors, Action<Vectors> onGpu, Action<Vectors> onCpu)
    {
        var there = vectors.Select(v => tensor(v, float32).to(device)).ToArray();
        onGpu(new Vectors([.. there.Select(t => (nint)Dispatcher.Floats(t))]));
        var here = vectors.Select(v => tensor(v, float32)).ToArray();
        onCpu(new Vectors([.. here.Select(t => (nint)Dispatcher.Floats(t))]));
        _checks++;
        for (var i = 0; i < vectors.Length; i++)
        {
            var copy = there[i].to(CPU);
            if (!new ReadOnlySpan<int>(Dispatcher.Data(copy), vectors[i].Length).SequenceEqual(
                new ReadOnlySpan<int>(Dispatcher.Data(here[i]), vectors[i].Length)))
            {
                _wrong.Add(name);
                return;
            }
        }
    }

    // Where each vector begins.
    private sealed class Vectors(nint[] all)
    {
        public float* this[int index] => (float*)all[index];
    }
}
