using Elastic.Kernels;
using Elastic.Torch.Cuda.CublasLt;
using Elastic.Torch.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Elastic.Torch.Cuda.Passes;

/// <summary>What a GPU computes with.</summary>
/// <param name="Device">Where its tensors lie.</param>
/// <param name="Flash">Attention without a matrix of tokens by tokens; null where plain operators compute it.</param>
/// <param name="Products">By cublasLt; null where libtorch computes them.</param>
internal sealed unsafe record GpuTools(torch.Device Device, DeviceKernels Kernels, FlashAttention? Flash, DeviceProducts? Products)
{
    /// <summary>What passes read that no step changes.</summary>
    public GpuConstants Constants { get; } = new(Device);

    /// <summary>y = x + scale · branch.</summary>
    public void ScaledSum(Tensor y, Tensor x, Tensor branch, float scale) =>
        Kernels.ScaledSum(Of(y), Of(x), Of(branch), scale, y.numel());

    /// <summary>y = (residual +) x, of which a mask drops some.</summary>
    /// <param name="keys">One for each micro-batch, whose elements follow one another.</param>
    public void Dropout(Tensor y, Tensor x, Tensor? residual, ulong[] keys, DropoutRate rate)
    {
        var (into, from, added) = (Of(y), Of(x), residual is null ? DeviceMemory.None : Of(residual));
        var count = y.numel() / keys.Length;
        for (var i = 0; i < keys.Length; i++)
            Kernels.Dropout(into.From(i * count), from.From(i * count), added.From(i * count), keys[i], 0, count, rate);
    }

    /// <summary>
    /// What dropout multiplies attention's weights by, 0 or 1 / (1 - p): fp32 (B, H, Tq, Tk), the sequences of micro-batches one after the
    /// other.
    /// </summary>
    /// <param name="keys">One for each micro-batch.</param>
    public Tensor AttentionFactors(long[] shape, ulong[] keys, DropoutRate rate)
    {
        var factors = empty(shape, float32, Device);
        var (rows, queries, keysOfQuery) = (shape[0] / keys.Length * shape[1], (int)shape[2], (int)shape[3]);
        for (var i = 0; i < keys.Length; i++)
            Kernels.AttentionMask(Dispatcher.Floats(factors) + i * rows * queries * keysOfQuery, rows, queries, keysOfQuery, keys[i], rate);
        return factors;
    }

    /// <summary>target += left right, the gradient of a weight: (N, M), (N, K), (K, M). The target has no gaps.</summary>
    public void AddProduct(Tensor target, Tensor left, Tensor right)
    {
        using var scope = NewDisposeScope();
        if (Products is not null && ProductOperators.InParts(Products, left, right) is { } parts)
            Kernels.AddParts(Dispatcher.Floats(target), Dispatcher.Floats(parts), (int)parts.shape[0], (int)target.numel());
        else
            ProductOperators.Write(Products, left, right, target, adds: true);
    }

    /// <summary>target += the sums of the columns of x, in a fixed order: (C), (N, C).</summary>
    public void AddColumnSums(Tensor target, Tensor x) => Kernels.ColumnSums(Of(x), SumsInto(target, x.shape[0], (int)x.shape[1]));

    /// <summary>Where the sums of the columns of a matrix go: (C), (N, C). Lasts as long as the dispose scope.</summary>
    /// <param name="target">Null where nobody asks for them.</param>
    public ColumnTarget SumsInto(Tensor? target, long rows, int columns)
    {
        var partRows = DeviceKernels.PartRowsOf(rows);
        return new ColumnTarget
        {
            Target = target is null ? null : Dispatcher.Floats(target),
            Sums = target is null ? null : Dispatcher.Floats(empty(DeviceKernels.Parts(rows, partRows), columns, float32, Device)),
            Rows = rows,
            PartRows = partRows,
            Columns = columns,
        };
    }

    /// <summary>Adds the gradient of a table of embeddings, (V, C), from that of the rows, (N, C), in a fixed order.</summary>
    public void AddEmbeddingGradient(Tensor table, TokenRows rows, Tensor dx) => Kernels.EmbeddingGradient(
        Dispatcher.Floats(table), (int*)Dispatcher.Data(rows.Tokens), (int*)Dispatcher.Data(rows.Starts), (int*)Dispatcher.Data(rows.Rows),
        rows.Count, Dispatcher.Floats(dx), (int)dx.shape[0], (int)dx.shape[1]);

    /// <summary>Where a tensor's elements lie.</summary>
    public static DeviceMemory Of(Tensor x) => DeviceMemory.Of(x);
}
