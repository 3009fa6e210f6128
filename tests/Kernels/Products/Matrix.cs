namespace Elastic.Kernels.Tests.Products;

/// <summary>A matrix of random numbers in memory that does not move, with room after each line that a product must leave alone.</summary>
internal sealed unsafe class Matrix
{
    private readonly float[] _memory;
    private readonly long _stride;
    private readonly bool _isTurned;

    /// <param name="isTurned">Columns are contiguous instead of rows.</param>
    public Matrix(int rows, int columns, bool isTurned, int padding, Random random)
    {
        (Rows, Columns, _isTurned) = (rows, columns, isTurned);
        _stride = (isTurned ? rows : columns) + padding;
        _memory = GC.AllocateUninitializedArray<float>((int)(_stride * Math.Max(1, isTurned ? columns : rows)), pinned: true);
        // Magnitudes differ, so that the order of a sum shows.
        for (var i = 0; i < _memory.Length; i++)
            _memory[i] = (float)((random.NextDouble() - 0.5) * Math.ScaleB(1, random.Next(-6, 6)));
    }

    private Matrix(Matrix other)
    {
        (Rows, Columns, _isTurned, _stride) = (other.Rows, other.Columns, other._isTurned, other._stride);
        _memory = GC.AllocateUninitializedArray<float>(other._memory.Length, pinned: true);
        other._memory.CopyTo(_memory, 0);
    }

    public int Rows { get; }

    public int Columns { get; }

    public float[] Memory => _memory;

    public MatrixView View
        => new((float*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _memory[0]), Rows, Columns, _isTurned ? 1 : _stride,
            _isTurned ? _stride : 1);

    public float this[int row, int column]
    {
        get => _memory[_isTurned ? column * _stride + row : row * _stride + column];
        set => _memory[_isTurned ? column * _stride + row : row * _stride + column] = value;
    }

    public Matrix Copy() => new(this);
}
