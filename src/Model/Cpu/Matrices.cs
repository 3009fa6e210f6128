using Elastic.Kernels;

namespace Elastic.Model.Cpu;

/// <summary>Makes the views that products take.</summary>
internal static unsafe class Matrices
{
    /// <summary>Rows one after another.</summary>
    public static MatrixView Of(float* data, int rows, int columns) => new(data, rows, columns, columns, 1);

    /// <summary>The same elements, rows and columns exchanged.</summary>
    public static MatrixView Transposed(this MatrixView m) => new(m.Data, m.Columns, m.Rows, m.ColumnStride, m.RowStride, m.Type);
}
