using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>A matrix in memory: element (i, j) lies at <c>Data[i * RowStride + j * ColumnStride]</c>; one of the strides is 1.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct MatrixView(float* data, int rows, int columns, long rowStride, long columnStride)
{
    public float* Data { get; } = data;

    public int Rows { get; } = rows;

    public int Columns { get; } = columns;

    public long RowStride { get; } = rowStride;

    public long ColumnStride { get; } = columnStride;

    public float* At(long row, long column) => Data + row * RowStride + column * ColumnStride;
}
