using Elastic.Kernels;
using Elastic.Model.Vectors;

namespace Elastic.Model.Training;

/// <summary>
/// Sums of an embedding's rows over a subtree of micro-batches: a row for each token that occurs, by token. A token that does not occur has
/// the sum zero, which changes no other sum, so leaving it out is exact.
/// </summary>
public sealed unsafe class ScatteredRows : IDisposable
{
    private int[] _tokens = [];
    // The garbage collector frees them where a device ends whose gradients others may still read.
    private HostVector? _rows, _spare;

    /// <summary>Where the embedding begins in the flat vector; its rows are <see cref="Columns"/> apart.</summary>
    public long Offset { get; private set; }

    /// <summary>C.</summary>
    public int Columns { get; private set; }

    /// <summary>The tokens, ascending.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Count);

    /// <summary>Number of tokens.</summary>
    public int Count { get; private set; }

    /// <summary>(Count, C).</summary>
    public float* Rows => _rows is null ? null : _rows.Data;

    /// <summary>Forgets all rows.</summary>
    public void Clear() => Count = 0;

    /// <summary>Makes room for rows that the caller then writes, instead of what was here.</summary>
    /// <returns>Where the tokens go, ascending, and after the call of <see cref="Keep"/> count.</returns>
    public Span<int> Prepare(long offset, int columns, int most)
    {
        (Offset, Columns, Count) = (offset, columns, 0);
        Reserve(ref _rows, (long)most * columns);
        if (_tokens.Length < most)
            _tokens = new int[most];
        return _tokens;
    }

    /// <summary>Tells how many rows were written.</summary>
    public void Keep(int count) => Count = count;

    /// <summary>Adds the sums of the subtree to the right.</summary>
    public void Add(ScatteredRows right)
    {
        ArgumentNullException.ThrowIfNull(right);
        AddRows(right, 0, right.Count);
    }

    /// <summary>Adds those sums of the subtree to the right whose rows reach into the elements [first, end) of the flat gradient.</summary>
    public void Add(ScatteredRows right, long first, long end)
    {
        ArgumentNullException.ThrowIfNull(right);
        if (right.Count == 0 || end <= right.Offset)
            return;
        var C = right.Columns;
        AddRows(right, right.IndexOf(Math.Max(0, first - right.Offset) / C), right.IndexOf((end - right.Offset + C - 1) / C));
    }

    private void AddRows(ScatteredRows right, int j, int end)
    {
        if (j == end)
            return;
        (Offset, Columns) = (right.Offset, right.Columns);
        var most = Count + end - j;
        var tokens = new int[most];
        Reserve(ref _spare, (long)most * Columns);
        int count = 0, i = 0;
        while (i < Count || j < end)
        {
            var token = Math.Min(i < Count ? _tokens[i] : int.MaxValue, j < end ? right._tokens[j] : int.MaxValue);
            var row = new Span<float>(_spare!.Data + (long)count * Columns, Columns);
            var has = i < Count && _tokens[i] == token;
            if (has)
                new Span<float>(Rows + (long)i++ * Columns, Columns).CopyTo(row);
            if (j < end && right._tokens[j] == token)
            {
                var other = new Span<float>(right.Rows + (long)j++ * Columns, Columns);
                if (has)
                    AddTo(row, other);
                else
                    other.CopyTo(row);
            }
            tokens[count++] = token;
        }
        (_tokens, Count, _rows, _spare) = (tokens, count, _spare, _rows);
    }

    /// <summary>The index of the first token that is not below <paramref name="token"/>.</summary>
    public int IndexOf(long token)
    {
        var (low, high) = (0, Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _tokens[middle] < token ? (middle + 1, high) : (low, middle);
        }
        return low;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rows?.Dispose();
        _spare?.Dispose();
        (_rows, _spare, Count) = (null, null, 0);
    }

    /// <summary>into += from, element by element.</summary>
    internal static void AddTo(Span<float> into, ReadOnlySpan<float> from)
    {
        for (var i = 0; i < into.Length; i++)
            into[i] += from[i];
    }

    private static void Reserve(ref HostVector? buffer, long floats)
    {
        const int whole = NativeBuffer.Alignment / sizeof(float);
        if (buffer is not null && buffer.Length >= floats)
            return;
        buffer?.Dispose();
        buffer = new HostVector((floats + whole - 1) / whole * whole);
    }
}
