using Elastic.Kernels;

namespace Elastic.Model.Cpu;

/// <summary>Makes the views that products take.</summary>
internal static unsafe class Matrices
{
    /// <summary>Rows one after another.</summary>
    public static MatrixView Of(float* data, int rows, int columns) => new(data, rows, columns, columns, 1);

    /// <summary>Some of its rows, and of those some columns.</summary>
    public static MatrixView Part(this MatrixView m, int row, int rows, int column, int columns)
        => new(m.Type is null ? m.At(row, column) : (float*)m.NarrowAt(row, column), rows, columns, m.RowStride, m.ColumnStride, m.Type);

    /// <summary>A view of the same elements, rows and columns exchanged.</summary>
    public static MatrixView Transposed(this MatrixView m) => new(m.Data, m.Columns, m.Rows, m.ColumnStride, m.RowStride, m.Type);
}
