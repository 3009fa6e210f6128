using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>
/// One call of a micro-kernel: some steps of the sums of a tile of C. Sums kept between calls (<see cref="Start"/>, <see cref="Folds"/>)
/// are whole tiles with rows one after another.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal unsafe struct Tile
{
    /// <summary>A at the first row and the first k: element (i, k) lies at <c>A[i * RowStride + k * Step]</c>.</summary>
    public float* A;

    /// <summary>Strides of A, in elements.</summary>
    public nint RowStride, Step;

    /// <summary>Rows that exist, at least 1; those below it are computed from the last one and mean nothing.</summary>
    public int Rows;

    /// <summary>B, packed: the tile's columns side by side for each k.</summary>
    public float* B;

    /// <summary>How many k.</summary>
    public int Depth;

    /// <summary>The sums so far; null to start from +0.</summary>
    public float* Start;

    /// <summary>After the last k: sums that these are added to, one after another, each one tile before the former.</summary>
    public float* Folds;

    /// <summary>How many.</summary>
    public int FoldCount;

    /// <summary>Where the tile goes, row by row.</summary>
    public float* Into;

    /// <summary>Elements from row to row of <see cref="Into"/>.</summary>
    public nint IntoStride;

    /// <summary>Adds to what stands in <see cref="Into"/>.</summary>
    public bool Accumulates;

    /// <summary>Added to each row after that; null for none.</summary>
    public float* Bias;
}

/// <summary>
/// The inner loop of a product: a tile of C stays in registers over all k of a call. Every implementation does the same operations on each
/// element, acc = fma(a, b, acc) in the order of k, then the folds, C + acc, + bias. Written out, because the compiler keeps locals in
/// registers, but not arrays.
/// </summary>
internal unsafe interface ITileKernel
{
    /// <summary>The tile's rows.</summary>
    static abstract int Rows { get; }

    /// <summary>The tile's columns.</summary>
    static abstract int Columns { get; }

    /// <summary>True when this processor has the instructions.</summary>
    static abstract bool IsSupported { get; }

    /// <summary>Computes one tile; writes all of its rows and columns.</summary>
    static abstract void Run(in Tile tile);

    /// <summary>
    /// Packs B whose columns each lie along k: <paramref name="lines"/> of them side by side, <see cref="Columns"/> for each k; missing
    /// ones are zero.
    /// </summary>
    static abstract void Transpose(float* source, nint lineStride, int lines, int depth, float* into);
}
