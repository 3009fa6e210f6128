using System.Runtime.InteropServices;

namespace Elastic.Kernels;

/// <summary>A matrix in memory: element (i, j) lies at <c>Data[i * RowStride + j * ColumnStride]</c>; one of the strides is 1.</summary>
/// <param name="type">The type of the elements where it is not fp32; <paramref name="data"/> is then their address, and no more.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly unsafe struct MatrixView(
    float* data, int rows, int columns, long rowStride, long columnStride, NarrowType? type = null)
{
    public float* Data { get; } = data;

    public int Rows { get; } = rows;

    public int Columns { get; } = columns;

    public long RowStride { get; } = rowStride;

    public long ColumnStride { get; } = columnStride;

    /// <summary>Null for fp32.</summary>
    public NarrowType? Type { get; } = type;

    /// <summary>The address of an element of a matrix of fp32.</summary>
    public float* At(long row, long column) => Data + row * RowStride + column * ColumnStride;

    /// <summary>The address of an element of a matrix of a type of 16 bits.</summary>
    public ushort* NarrowAt(long row, long column) => (ushort*)Data + row * RowStride + column * ColumnStride;
}
