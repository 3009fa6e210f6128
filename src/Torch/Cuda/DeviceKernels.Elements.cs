using Elastic.Kernels;

namespace Elastic.Torch.Cuda;

/// <summary>A function of one number: those of activations.cu, in this order.</summary>
internal enum ActivationKind
{
    /// <summary><see cref="Kernels.GeluTanh"/>.</summary>
    GeluTanh,

    /// <summary><see cref="Kernels.GeluErf"/>.</summary>
    GeluErf,

    /// <summary><see cref="Kernels.Relu"/>.</summary>
    Relu,
}

// Kernels over elements, each of which stands for itself. A result may lie where an input of its type does.
internal sealed unsafe partial class DeviceKernels
{
    /// <summary>Threads of <see cref="Reciprocals"/>.</summary>
    public const int ReciprocalThreads = 1 << 16;

    /// <summary>y[i] = f(x[i]), <see cref="Activations.Forward"/>; x of y's type.</summary>
    public void Activate(ActivationKind function, DeviceMemory y, DeviceMemory x, long count)
    {
        MustBe(y.Type, x);
        OverEights("activation", [y.Type], count, Moves(count, y, x), y, x, count, (int)function);
    }

    /// <summary>dx[i] = dy[i] f'(x[i]); all of one type.</summary>
    public void ActivateBackward(ActivationKind function, DeviceMemory dx, DeviceMemory dy, DeviceMemory x, long count)
    {
        MustBe(dx.Type, dy, x);
        OverEights("activation_backward", [dx.Type], count, Moves(count, dx, dy, x), dx, dy, x, count, (int)function);
    }

    /// <summary>
    /// The backward pass of the activation of rows, and the sums of the columns of dx, as <see cref="ColumnSums"/> adds them.
    /// </summary>
    public void ActivateBackward(ActivationKind function, DeviceMemory dx, DeviceMemory dy, DeviceMemory x, in ColumnTarget sums)
    {
        MustBe(dx.Type, dy, x);
        var parts = PartsOf(sums);
        OverEights(
            "activation_backward_sums", [dx.Type], parts * ((sums.Columns + 7L) / 8 * 8), Moves(sums.Rows * sums.Columns, dx, dy, x), dx,
            dy, x, sums.Sums, sums.Rows, sums.PartRows, sums.Columns, (int)function);
        FoldParts(sums.Sums, parts, sums.Columns, sums.Target);
    }

    /// <summary>y = silu(gate) · up, <see cref="Activations.SwiGlu"/>; all of one type.</summary>
    public void SwiGlu(DeviceMemory y, DeviceMemory gate, DeviceMemory up, long count)
    {
        MustBe(y.Type, gate, up);
        OverEights("swiglu", [y.Type], count, Moves(count, y, gate, up), y, gate, up, count);
    }

    /// <summary><see cref="Activations.SwiGluBackward"/>; all of one type. The results may lie where gate and up do.</summary>
    public void SwiGluBackward(
        DeviceMemory dGate, DeviceMemory dUp, DeviceMemory dy, DeviceMemory gate, DeviceMemory up, long count)
    {
        MustBe(dy.Type, dGate, dUp, gate, up);
        OverEights(
            "swiglu_backward", [dy.Type], count, Moves(count, dGate, dUp, dy, gate, up), dGate, dUp, dy, gate, up, count);
    }

    /// <summary>
    /// Rotates heads in place as <see cref="Rotary.Rotate"/> does with <see cref="RotaryLayout.Halves"/>: row r stands at position
    /// r % length, heads are neighbours of 2 · pairs channels.
    /// </summary>
    /// <param name="stride">Elements between the first channels of rows that follow one another.</param>
    /// <param name="cosines">(length, pairs), <see cref="Rotary.FillTables"/>; the sines, too.</param>
    /// <param name="isBackward">Rotates by the negative angle: the gradient.</param>
    public void Rotate(
        DeviceMemory x, long stride, long rows, int heads, int length, float* cosines, float* sines, int pairs, bool isBackward)
        => OverFours(
            "rotary", [x.Type], rows * heads * ((pairs + 3) / 4 * 4), Moves(rows * heads * 2 * pairs, x, x), x, stride, rows, heads, length,
            cosines, sines, pairs, isBackward);

    /// <summary><see cref="Kernels.Dropout.Apply"/>: y = (residual +) (keep ? scale · x : +0).</summary>
    /// <param name="y">fp32, or of 16 bits.</param>
    /// <param name="x">fp32, or of 16 bits; fp32 or y's type where y is of 16 bits.</param>
    /// <param name="residual">fp32, or of x's type; none for none, and always where y is of 16 bits.</param>
    public void Dropout(DeviceMemory y, DeviceMemory x, DeviceMemory residual, ulong key, long first, long count, DropoutRate rate)
        => OverElements(
            "dropout", [y.Type, x.Type, residual.IsNone ? y.Type : residual.Type], count / 4 + 2,
            Moves(count, y, x, residual), y, x, residual, key, first, count, rate.Threshold, rate.Scale);

    /// <summary><see cref="Kernels.Attention.AttentionMask.Fill"/>: the factors of one micro-batch's weights of attention.</summary>
    /// <param name="mask">(rows, queries, keys).</param>
    /// <param name="rows">The heads of all its sequences.</param>
    public void AttentionMask(float* mask, long rows, int queries, int keys, ulong key, DropoutRate rate)
        => OverFours(
            "attention_mask", [], rows * queries * ((keys + 3) / 4 * 4), 4.0 * rows * queries * keys, mask, rows, queries, keys, key,
            rate.Threshold, rate.Scale);

    /// <summary>y = x + scale · branch, rounded to fp32 once, then to y's type: a residual, an adapter's share.</summary>
    /// <param name="y">fp32, or of 16 bits where all are.</param>
    /// <param name="x">fp32, or of the branch's type.</param>
    public void ScaledSum(DeviceMemory y, DeviceMemory x, DeviceMemory branch, float scale, long count)
        => OverEights("scaled_sum", [y.Type, x.Type, branch.Type], count, Moves(count, y, x, branch), y, x, branch, scale, count);

    /// <summary>y = factor · x, rounded to y's type.</summary>
    public void Scale(DeviceMemory y, DeviceMemory x, float factor, long count)
        => OverEights("scaled", [y.Type, x.Type], count, Moves(count, y, x), y, x, factor, count);

    /// <summary>target[j] += the sum of parts[0, j], parts[1, j] … along <see cref="SumTree"/>: (elements), (parts, elements).</summary>
    public void AddParts(float* target, float* sums, int parts, int elements)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(parts, MaxParts);
        FoldParts(sums, parts, elements, target);
    }

    /// <summary>
    /// For every step-th number from 1 to 2^126: how many have another reciprocal by the kernels' short way than by the division of
    /// IEEE 754, counted by thread.
    /// </summary>
    /// <param name="differing">(<see cref="ReciprocalThreads"/>)</param>
    public void Reciprocals(int* differing, uint step)
        => Start("reciprocals", [], ReciprocalThreads / Threads, Threads, 0, differing, step);
}
